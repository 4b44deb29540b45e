"""Answers have the fields that the SDK's classes declare."""

import inspect
import re
import sys
from typing import Any, get_args, get_origin

import pytest
import stripe
import stripe.params._webhook_endpoint_create_params as known_events
from stripe import billing_portal, checkout

from tests.unit.sandbox_stripe.builders import customer, draft
from tests.unit.sandbox_stripe.conftest import Simulated
from tollgate_cli.laptop import loopback
from tollgate_sandbox.stripe.table import OPERATIONS

CLASSES: dict[str, Any] = {
    one.OBJECT_NAME: one
    for one in (
        stripe.BalanceTransaction, stripe.Charge, stripe.CreditNote, stripe.Customer, stripe.Dispute, stripe.Event,
        stripe.Invoice, stripe.InvoiceItem, stripe.InvoiceLineItem, stripe.InvoicePayment, stripe.PaymentIntent,
        stripe.PaymentMethod, stripe.Price, stripe.Product, stripe.Refund, stripe.SetupIntent, stripe.Subscription,
        stripe.SubscriptionItem, stripe.WebhookEndpoint, stripe.CustomerBalanceTransaction, checkout.Session,
        billing_portal.Session,
    )
}  # fmt: skip


def wrong_fields(thing: dict[str, Any], shape: Any, path: str) -> list[str]:
    """Fields that the class has not, and those it always has that are missing."""
    hints = {name: hint for name, hint in shape.__annotations__.items() if name != "OBJECT_NAME"}
    wrong = [f"{path}.{name} is unknown" for name in thing if name not in hints]
    for name, hint in hints.items():
        optional = type(None) in get_args(hint)
        if name not in thing:
            wrong += [] if optional else [f"{path}.{name} is missing"]
        elif thing[name] is None:
            wrong += [] if optional else [f"{path}.{name} is null"]
        else:
            wrong += _inner(thing[name], hint, f"{path}.{name}")
    return wrong


def _inner(value: Any, hint: Any, path: str) -> list[str]:
    options = [hint, *get_args(hint)]
    shape = next((one for one in options if inspect.isclass(one) and issubclass(one, stripe.StripeObject)), None)
    if isinstance(value, dict) and shape is not None and shape.__annotations__ and "object" not in value:
        return wrong_fields(value, shape, path)
    for one in options:
        if get_origin(one) is list and isinstance(value, list):
            return [
                found for inner in value if isinstance(inner, dict) for found in _inner(inner, get_args(one)[0], path)
            ]
    return []


@pytest.fixture
def full(sim: Simulated, api: Any) -> dict[str, list[dict[str, Any]]]:
    """An account with something of each kind, as the API shows it."""
    owner = customer(api, address={"country": "DE"}, balance=-5)
    invoice = draft(api, owner, 1000, automatic_tax={"enabled": True})
    api.invoices.finalize_invoice(invoice.id, {"auto_advance": True})
    api.credit_notes.create({"invoice": invoice.id, "amount": 100, "refund_amount": 100})
    api.payment_intents.create(
        {"amount": 500, "currency": "eur", "payment_method": "pm_card_createDispute", "confirm": True}
    )
    price = api.prices.create(
        {"currency": "usd", "unit_amount": 900, "recurring": {"interval": "month"}, "product_data": {"name": "Base"}}
    )
    api.subscriptions.create({"customer": owner.id, "items": [{"price": price.id}]})
    api.checkout.sessions.create({"mode": "setup", "currency": "eur", "customer": owner.id, "success_url": "http://x"})
    api.billing_portal.sessions.create({"customer": owner.id})
    api.webhook_endpoints.create({"url": "http://127.0.0.1:9/", "enabled_events": ["setup_intent.created"]})
    kinds: dict[str, list[dict[str, Any]]] = sim.see("state")["objects"]
    headers = {"authorization": "Bearer sk_test_tollgate"}
    for kind in ("invoice", "subscription"):
        kinds[kind] = loopback.get(f"{sim.url}/v1/{kind}s", headers=headers).json()["data"]
    return kinds


def test_objects_have_exactly_the_fields_of_their_classes(full: dict[str, list[dict[str, Any]]]) -> None:
    wrong = [
        found for kind, things in full.items() for thing in things for found in wrong_fields(thing, CLASSES[kind], kind)
    ]
    assert sorted(set(wrong)) == []
    assert set(full) == set(CLASSES)


def test_all_events_are_of_types_that_the_sdk_knows(api: Any, full: dict[str, Any]) -> None:
    known = set(re.findall(r'"([a-z_]+(?:\.[a-z_]+)+)"', inspect.getsource(sys.modules[known_events.__name__])))
    assert {event["type"] for event in full["event"]} <= known


def test_ids_have_stripes_prefixes(full: dict[str, list[dict[str, Any]]]) -> None:
    prefixes = {kind: things[0]["id"].rpartition("_")[0] for kind, things in full.items()}
    assert prefixes == {
        "balance_transaction": "txn", "billing_portal.session": "bps", "charge": "ch", "checkout.session": "cs_test",
        "credit_note": "cn", "customer": "cus", "customer_balance_transaction": "cbtxn", "dispute": "du",
        "event": "evt",
        "invoice": "in", "invoice_payment": "inpay", "invoiceitem": "ii", "line_item": "il", "payment_intent": "pi",
        "payment_method": "pm", "price": "price", "product": "prod", "refund": "re", "setup_intent": "seti",
        "subscription": "sub", "subscription_item": "si", "webhook_endpoint": "we",
    }  # fmt: skip


_SEGMENTS = {
    "balance_transactions": "balance_transaction",
    "invoiceitems": "invoiceitem",
    "sessions": "checkout.session",
}


def test_no_endpoint_breaks_on_an_empty_request(sim: Simulated, full: dict[str, list[dict[str, Any]]]) -> None:
    """Whatever the state of the object, the answer is a result or a refusal that says why."""
    headers = {"authorization": "Bearer sk_test_tollgate", "content-type": "application/x-www-form-urlencoded"}
    answers = {}
    for operation in sorted(OPERATIONS, key=lambda one: (one.method == "DELETE", "{" in one.path)):
        parts = operation.path.split("/")
        for place, part in enumerate(parts):
            if part.startswith("{"):
                kind = _SEGMENTS.get(parts[place - 1], parts[place - 1].removesuffix("s"))
                parts[place] = full[kind][0]["id"]
        answer = loopback.request(operation.method, sim.url + "/".join(parts), headers=headers)
        answers[f"{operation.method} {operation.path}"] = answer.status_code
        if answer.status_code != 200:
            assert answer.json()["error"]["message"]
    assert {name: status for name, status in answers.items() if status not in {200, 400, 402, 404}} == {}
    assert sum(status == 200 for status in answers.values()) > 50
