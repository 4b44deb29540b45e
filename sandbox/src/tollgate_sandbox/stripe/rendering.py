"""What an answer shows of an object: embedded lists, and references turned into objects where `expand` asks for it."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any, cast

from tollgate_sandbox.jsons import Json, as_object
from tollgate_sandbox.jsons import as_list as as_items
from tollgate_sandbox.stripe.errors import invalid
from tollgate_sandbox.stripe.store import Store

EMBEDDED = 10
"""How many lines an object carries in itself; the rest is fetched as a list of its own."""
DEEPEST = 4


def as_list(data: list[Json], url: str, *, shown: int = EMBEDDED) -> Json:
    """A list inside of an object."""
    return {"object": "list", "data": deepcopy(data[:shown]), "has_more": len(data) > shown, "url": url}


def render(store: Store, thing: Json) -> Json:
    """The object as it is sent, with the lists that always come with it."""
    shown = deepcopy(thing)
    match thing.get("object"):
        case "invoice":
            shown["lines"] = as_list(_lines(store, thing), f"/v1/invoices/{thing['id']}/lines")
        case "subscription":
            items = store.all("subscription_item", lambda item: item["subscription"] == thing["id"])
            shown["items"] = as_list(items, f"/v1/subscription_items?subscription={thing['id']}")
        case _:
            pass
    return shown


def present(store: Store, answer: Json, expand: list[str]) -> Json:
    """An answer with everything expanded that was asked for; raises StripeError for what cannot be."""
    if answer.get("object") in {"list", "search_result"}:
        shown = {**answer, "data": [render(store, thing) for thing in answer["data"]]}
    else:
        shown = render(store, answer)
    for path in expand:
        parts = path.split(".")
        if len(parts) > DEEPEST + (parts[0] == "data"):
            raise invalid(
                f"You cannot expand more than {DEEPEST} levels of a property. Property: {path}", param="expand"
            )
        _expand(store, shown, parts, path)
    return shown


def _expand(store: Store, thing: Json, parts: list[str], path: str) -> None:
    name, rest = parts[0], parts[1:]
    if name not in thing:
        included = _INCLUDABLE.get((thing.get("object", ""), name))
        if included is None:
            raise invalid(f"This property cannot be expanded ({path}).", param="expand")
        thing[name] = included(store, thing)
    value = thing[name] = _resolved(store, thing[name])
    if rest:
        for inner in as_items(value) or [value]:
            if isinstance(inner, dict):
                _expand(store, cast(Json, inner), rest, path)


def _resolved(store: Store, value: Any) -> Any:
    several = as_items(value)
    if several:
        return [_resolved(store, inner) for inner in several]
    found = store.find(value)
    if found is not None:
        return render(store, found)
    return deepcopy(store.deleted.get(value, value)) if isinstance(value, str) else value


def _lines(store: Store, invoice: Json) -> list[Json]:
    return store.of_invoice("line_item", invoice["id"])


def _payments(store: Store, invoice: Json) -> Json:
    url = f"/v1/invoice_payments?invoice={invoice['id']}"
    return as_list(store.of_invoice("invoice_payment", invoice["id"]), url)


def _secret(store: Store, invoice: Json) -> Json | None:
    for payment in store.of_invoice("invoice_payment", invoice["id"]):
        intent = store.find(payment["payment"]["payment_intent"])
        if intent is not None:
            return {"client_secret": intent["client_secret"], "type": "payment_intent"}
    return None


def _refunds(store: Store, charge: Json) -> Json:
    refunds = store.all("refund", lambda refund: refund["charge"] == charge["id"])
    return as_list(refunds, f"/v1/charges/{charge['id']}/refunds")


def _items(store: Store, session: Json) -> Json:
    items: list[Json] = store.hidden[session["id"]]["line_items"]
    return as_list(items, f"/v1/checkout/sessions/{session['id']}/line_items")


def _subscriptions(store: Store, customer: Json) -> Json:
    active = store.all("subscription", lambda s: s["customer"] == customer["id"] and s["status"] != "canceled")
    return as_list([render(store, one) for one in active], f"/v1/customers/{customer['id']}/subscriptions")


def _tax(_store: Store, customer: Json) -> Json:
    country = as_object(customer["address"]).get("country")
    location = {"country": country, "source": "billing_address", "state": None} if country else None
    word = "supported" if country else "unrecognized_location"
    return {"automatic_tax": word, "ip_address": None, "location": location, "provider": "stripe"}


def _tax_ids(_store: Store, customer: Json) -> Json:
    return as_list([], f"/v1/customers/{customer['id']}/tax_ids")


_INCLUDABLE: dict[tuple[str, str], Callable[[Store, Json], Any]] = {
    ("invoice", "payments"): _payments,
    ("invoice", "confirmation_secret"): _secret,
    ("charge", "refunds"): _refunds,
    ("checkout.session", "line_items"): _items,
    ("customer", "subscriptions"): _subscriptions,
    ("customer", "tax"): _tax,
    ("customer", "tax_ids"): _tax_ids,
}
