"""What of a customer's journey makes ``tollgate up --exit`` fail."""

from dataclasses import replace
from decimal import Decimal

import pytest

from tollgate_cli.laptop.journey import Journey
from tollgate_cli.laptop.provider_invoice import Invoice
from tollgate_cli.laptop.session import Outcome
from tollgate_cli.laptop.simulators import Simulated
from tollgate_core.catalog import Product

INVOICE = Invoice("in_1", "A-1", 193, 230, "USD", paid=True)
PAID = Journey(
    provider=Simulated("stripe", "stripe", "http://127.0.0.1:1", "sk_test_x"),
    product=Product(name="payg", version="1", endpoints=()),
    currency="USD",
    customer="acme",
    name="Acme",
    subscription="acme-payg",
    cardholder="Acme",
    email="acme@example.com",
    metered=Decimal(7),
    statement={"currency": "USD", "due": {"minor": 193}, "lines": [{"quantity": "7"}, {"quantity": None}]},
    invoice=INVOICE,
    paid_at="2026-11-22T22:00:00Z",
)


def test_one_that_was_paid_as_stated_is_exact() -> None:
    assert Outcome(journeys=[PAID]).exact
    assert "sk_test_x" not in repr(PAID)


@pytest.mark.parametrize(
    "wrong",
    [
        replace(PAID, problem="not paid"),
        replace(PAID, paid_at=""),
        replace(PAID, metered=Decimal(8)),
        replace(PAID, invoice=None),
        replace(PAID, invoice=replace(INVOICE, net_minor=194)),
        replace(PAID, invoice=replace(INVOICE, currency="EUR")),
        replace(PAID, invoice=replace(INVOICE, paid=False)),
    ],
    ids=["problem", "unpaid", "metered", "none", "sum", "currency", "open"],
)
def test_any_difference_is_none(wrong: Journey) -> None:
    assert not Outcome(journeys=[PAID, wrong]).exact


def test_what_is_too_little_to_be_collected_is_no_failure() -> None:
    assert Outcome(journeys=[replace(PAID, invoice=None, paid_at="", short="0.01 USD is less")]).exact
