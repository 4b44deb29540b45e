"""How subscriptions begin: a checkout with prices that recur was completed."""

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.paddle.catalog import cycle_of
from tollgate_sandbox.paddle.details import product_of
from tollgate_sandbox.paddle.ids import SUBSCRIPTION
from tollgate_sandbox.paddle.times import period
from tollgate_sandbox.paddle.world import World


def start(world: World, transaction: Json, method: Json | None) -> Json:
    """Active, or on trial when its price has one."""
    recurring = [item for item in transaction["items"] if item["price"]["billing_cycle"]]
    cycle = cycle_of(recurring) or {}
    trial: Json | None = recurring[0]["price"]["trial_period"]
    current = transaction["billing_period"] or period(world.now(), trial or cycle)
    transaction["billing_period"] = current
    now = world.time()
    fields: Json = {
        "status": "trialing" if trial else "active",
        "customer_id": transaction["customer_id"],
        "address_id": transaction["address_id"],
        "business_id": transaction["business_id"],
        "currency_code": transaction["currency_code"],
        "started_at": now,
        "first_billed_at": None if trial else now,
        "next_billed_at": current["ends_at"],
        "paused_at": None,
        "canceled_at": None,
        "discount": None,
        "collection_mode": transaction["collection_mode"],
        "billing_details": transaction["billing_details"],
        "current_billing_period": current,
        "billing_cycle": {"interval": cycle["interval"], "frequency": cycle["frequency"]},
        "scheduled_change": None,
        "items": [],
        "custom_data": transaction["custom_data"],
        "import_meta": None,
        "consent_requirements": [],
    }
    made = world.made(SUBSCRIPTION, fields, hidden={"method": method, "pending": [], "charges": []})
    made["management_urls"] = management_urls(world, made)
    made["items"] = [subscription_item(world, made, item, trial=bool(trial)) for item in recurring]
    transaction["subscription_id"] = made["id"]
    world.emit("subscription.created", made)
    world.emit("subscription.trialing" if trial else "subscription.activated", made)
    return made


def management_urls(world: World, subscription: Json) -> Json:
    """Where its customer changes the card or cancels."""
    base = f"{world.base_url}/manage/subscriptions/{subscription['id']}"
    return {"update_payment_method": f"{base}/update-payment-method", "cancel": f"{base}/cancel"}


def subscription_item(world: World, subscription: Json, item: Json, *, trial: bool = False) -> Json:
    """An item that is billed with every period."""
    now = world.time()
    return {
        "status": "trialing" if trial else "active",
        "quantity": item["quantity"],
        "recurring": True,
        "created_at": now,
        "updated_at": now,
        "previously_billed_at": None if trial else now,
        "next_billed_at": subscription["next_billed_at"],
        "trial_dates": subscription["current_billing_period"] if trial else None,
        "price": item["price"],
        "product": product_of(world, item),
    }
