"""How transactions begin and move on until they are billed, paid or canceled."""

from dataclasses import dataclass

from tollgate_sandbox.jsons import Json, as_object
from tollgate_sandbox.paddle.credits import give_back
from tollgate_sandbox.paddle.details import recompute
from tollgate_sandbox.paddle.errors import bad_request, refused
from tollgate_sandbox.paddle.ids import INVOICE, TRANSACTION, new_id
from tollgate_sandbox.paddle.money import smallest
from tollgate_sandbox.paddle.world import World

OPEN = frozenset({"draft", "ready"})
#: Origins of those that somebody began by himself: the seller's program, or anybody's browser.
API, WEB = "api", "web"
OWED = frozenset({"billed", "past_due"})


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a transaction begins with."""

    items: list[Json]
    currency: str
    origin: str = API
    customer: str | None = None
    address: str | None = None
    business: str | None = None
    subscription: str | None = None
    custom_data: object = None
    billing_period: Json | None = None
    billing_details: Json | None = None
    collection_mode: str = "automatic"
    checkout_url: str | None = None


def begin(world: World, given: Beginning) -> Json:
    """A draft, or one that is ready when all is known that payment needs."""
    fields: Json = {
        "status": "draft",
        "customer_id": given.customer,
        "address_id": given.address,
        "business_id": given.business,
        "custom_data": given.custom_data,
        "currency_code": given.currency,
        "origin": given.origin,
        "subscription_id": given.subscription,
        "invoice_id": None,
        "invoice_number": None,
        "collection_mode": given.collection_mode,
        "discount_id": None,
        "billing_details": given.billing_details,
        "billing_period": given.billing_period,
        "items": given.items,
        "payments": [],
        "checkout": None,
        "billed_at": None,
        "revised_at": None,
    }
    made = world.made(TRANSACTION, fields, hidden={"checkout_url": given.checkout_url})
    recompute(world, made)
    place_checkout(world, made)
    made["status"] = _opening(made)
    world.emit("transaction.created", made)
    if made["status"] == "ready":
        world.emit("transaction.ready", made)
    return made


def _opening(transaction: Json) -> str:
    return "ready" if transaction["customer_id"] and transaction["address_id"] else "draft"


def check_smallest(total: int, currency: str, code: str) -> None:
    """Raise PaddleError for what is too little to be charged; nothing at all is fine."""
    if 0 < total < smallest(currency):
        raise refused(code, f"Transaction balance is less than the charge limit of {smallest(currency)} {currency}.")


def place_checkout(world: World, transaction: Json) -> None:
    """Where it is paid: the page that the seller named, or the simulator's own."""
    details = as_object(transaction["billing_details"])
    if transaction["collection_mode"] == "manual" and not details.get("enable_checkout"):
        transaction["checkout"] = None
        return
    base = world.hidden(transaction)["checkout_url"] or f"{world.base_url}/checkout"
    joint = "&" if "?" in base else "?"
    transaction["checkout"] = {"url": f"{base}{joint}_ptxn={transaction['id']}"}


def changed(world: World, transaction: Json) -> None:
    """Somebody changed an open transaction."""
    before = transaction["status"]
    recompute(world, transaction)
    place_checkout(world, transaction)
    if before in OPEN:
        transaction["status"] = _opening(transaction)
    world.touched(transaction, "transaction.updated")
    if before == "draft" and transaction["status"] == "ready":
        world.emit("transaction.ready", transaction)


def bill(world: World, transaction: Json) -> None:
    """From now on it is owed, under a number."""
    if transaction["status"] not in OPEN:
        raise _immutable(transaction)
    if not (transaction["customer_id"] and transaction["address_id"]):
        raise bad_request(("customer_id", "is required to bill"), ("address_id", "is required to bill"))
    if transaction["collection_mode"] == "manual" and not transaction["billing_details"]:
        raise bad_request(("billing_details", "is required to bill manually"))
    transaction["status"] = "billed"
    number(world, transaction)
    world.touched(transaction, "transaction.billed")


def number(world: World, transaction: Json) -> None:
    """An invoice number, once."""
    transaction["billed_at"] = transaction["billed_at"] or world.time()
    if transaction["invoice_number"] is None:
        used = world.store.all(TRANSACTION, lambda one: one["invoice_number"] is not None)
        transaction["invoice_number"] = f"1-{10001 + len(used)}"
        transaction["invoice_id"] = new_id(INVOICE, world.clock.stamp())


def cancel(world: World, transaction: Json) -> None:
    """It will never be paid."""
    if transaction["status"] in {"paid", "completed", "canceled"}:
        raise _immutable(transaction)
    transaction["status"] = "canceled"
    hidden = world.hidden(transaction)
    hidden.pop("retry_at", None)
    give_back(world, transaction["customer_id"], transaction["currency_code"], hidden.pop("credit", 0))
    world.touched(transaction, "transaction.canceled")


def _immutable(transaction: Json) -> Exception:
    return refused("transaction_immutable", f"transaction is {transaction['status']} and cannot be changed")
