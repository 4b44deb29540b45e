"""What subscriptions are billed by themselves: every period, and again what was not paid."""

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.paddle import credits as credit
from tollgate_sandbox.paddle.details import recompute
from tollgate_sandbox.paddle.ids import SUBSCRIPTION
from tollgate_sandbox.paddle.paying import attempt, complete
from tollgate_sandbox.paddle.subscribing import become, end, fell_behind, pause
from tollgate_sandbox.paddle.times import period, seconds_of, text_of
from tollgate_sandbox.paddle.transacting import Beginning, begin, bill
from tollgate_sandbox.paddle.world import World

DAY = 24 * 3600
RETRY_DAYS = (1, 3, 5, 7, 14, 21, 30)
"""After the first attempt; when the last one fails, the account's setting decides."""


def new_transaction(world: World, subscription: Json, origin: str, items: list[Json], span: Json | None) -> Json:
    """A transaction of a subscription, billed at once."""
    made = begin(
        world,
        Beginning(
            items,
            subscription["currency_code"],
            origin,
            subscription["customer_id"],
            subscription["address_id"],
            subscription["business_id"],
            subscription["id"],
            custom_data=subscription["custom_data"],
            billing_period=span,
            billing_details=subscription["billing_details"],
            collection_mode=subscription["collection_mode"],
        ),
    )
    use = min(
        credit.available(world, made["customer_id"], made["currency_code"]), int(made["details"]["totals"]["total"])
    )
    if use:
        credit.use(world, made["customer_id"], made["currency_code"], use)
        world.hidden(made)["credit"] = use
        recompute(world, made)
    bill(world, made)
    return made


def collect(world: World, subscription: Json, transaction: Json) -> str | None:
    """Take what it comes to from the saved card; None when all is well."""
    if transaction["details"]["totals"]["balance"] == "0":
        complete(world, transaction, None)
        return None
    if transaction["collection_mode"] == "manual":
        return None
    return attempt(world, transaction, world.hidden(subscription)["method"])


def renew(world: World, subscription: Json) -> None:
    """The next period begins: its price and what waited for it are billed."""
    start = seconds_of(subscription["next_billed_at"])
    span = period(start, subscription["billing_cycle"])
    now = world.time()
    subscription |= {"current_billing_period": span, "next_billed_at": span["ends_at"]}
    subscription["first_billed_at"] = subscription["first_billed_at"] or now
    for item in subscription["items"]:
        item |= {"status": "active", "previously_billed_at": now, "next_billed_at": span["ends_at"]}
    items = [*base_items(subscription), *take_pending(world, subscription)]
    made = new_transaction(world, subscription, "subscription_recurring", items, span)
    if subscription["status"] == "trialing":
        become(world, subscription, "active", "activated")
    else:
        world.touched(subscription, "subscription.updated")
    if collect(world, subscription, made) is not None:
        owe(world, subscription, made)


def base_items(subscription: Json) -> list[Json]:
    """What every period is billed."""
    return [
        {"price_id": item["price"]["id"], "price": item["price"], "quantity": item["quantity"], "proration": None}
        for item in subscription["items"]
    ]


def take_pending(world: World, subscription: Json) -> list[Json]:
    """One-off charges that waited for the next period."""
    hidden = world.hidden(subscription)
    waiting: list[Json] = hidden["pending"]
    hidden["pending"] = []
    return waiting


def owe(world: World, subscription: Json, transaction: Json) -> None:
    """It was not paid: it is past due, and tried again."""
    transaction["status"] = "past_due"
    world.hidden(transaction).update(retry_at=world.now() + RETRY_DAYS[0] * DAY, tries=0, owed_since=world.now())
    world.touched(transaction, "transaction.past_due")
    fell_behind(world, subscription)


def retry(world: World, transaction: Json) -> None:
    """Another attempt; after the last one the account's setting decides."""
    hidden = world.hidden(transaction)
    subscription = world.get(SUBSCRIPTION, transaction["subscription_id"])
    if attempt(world, transaction, world.hidden(subscription)["method"]) is None:
        return
    hidden["tries"] += 1
    if hidden["tries"] < len(RETRY_DAYS):
        hidden["retry_at"] = hidden["owed_since"] + RETRY_DAYS[hidden["tries"]] * DAY
        return
    hidden.pop("retry_at")
    if world.paddle.after_retries == "cancel":
        end(world, subscription)
        return
    pause(world, subscription, None)


def apply_scheduled(world: World, subscription: Json) -> None:
    """A change that waited for its time."""
    change: Json = subscription["scheduled_change"]
    if change["action"] == "cancel":
        end(world, subscription)
    elif change["action"] == "pause":
        pause(world, subscription, change["resume_at"])
    else:
        resume(world, subscription)


def resume(world: World, subscription: Json) -> None:
    """A new period begins, and is billed, now."""
    now = world.now()
    subscription |= {"status": "active", "paused_at": None, "scheduled_change": None, "next_billed_at": text_of(now)}
    world.emit("subscription.resumed", subscription)
    renew(world, subscription)
