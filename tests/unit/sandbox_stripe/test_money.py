"""Amounts: tax, balances, tiny sums and the currencies that are different."""

from decimal import Decimal
from typing import Any

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.sandbox_stripe.builders import customer, draft, event_types
from tollgate_sandbox.stripe.currencies import rounded, smallest, written
from tollgate_sandbox.stripe.totals import due


def test_tax_is_computed_per_line_where_the_customer_has_an_address(api: Any) -> None:
    owner = customer(api, address={"country": "DE"})
    invoice = draft(api, owner, 333, 333, currency="eur", automatic_tax={"enabled": True})
    assert (invoice.subtotal, invoice.total, invoice.total_excluding_tax) == (666, 792, 666)
    assert [line.taxes[0].amount for line in invoice.lines.data] == [63, 63]
    assert (invoice.automatic_tax.status, invoice.total_taxes[0].amount) == ("complete", 126)
    note_of = api.invoices.finalize_invoice(invoice.id)
    note = api.credit_notes.create(
        {"invoice": invoice.id, "lines": [{"type": "invoice_line_item", "invoice_line_item": note_of.lines.data[0].id}]}
    )
    assert (note.subtotal, note.total) == (333, 396)


def test_inclusive_tax_and_exempt_customers(api: Any) -> None:
    owner = customer(api, address={"country": "DE"})
    invoice = draft(api, owner, currency="eur", automatic_tax={"enabled": True})
    api.invoice_items.create({"customer": owner.id, "invoice": invoice.id, "amount": 119, "tax_behavior": "inclusive"})
    now = api.invoices.retrieve(invoice.id)
    assert (now.total, now.total_excluding_tax, now.total_taxes[0].amount) == (119, 100, 19)
    free = customer(api, address={"country": "US"}, tax_exempt="exempt")
    assert draft(api, free, 1000, automatic_tax={"enabled": True}).total == 1000


def test_without_an_address_tax_keeps_the_draft(api: Any) -> None:
    owner = customer(api)
    invoice = draft(api, owner, 1000, automatic_tax={"enabled": True})
    assert invoice.automatic_tax.status == "requires_location_inputs"
    with pytest.raises(stripe.InvalidRequestError) as failed:
        api.invoices.finalize_invoice(invoice.id)
    assert failed.value.code == "customer_tax_location_invalid"
    stuck = api.invoices.retrieve(invoice.id)
    assert (stuck.status, stuck.last_finalization_error.code) == ("draft", "customer_tax_location_invalid")
    assert "invoice.finalization_failed" in event_types(api)
    api.customers.update(owner.id, {"address": {"country": "DE"}})
    assert api.invoices.finalize_invoice(invoice.id).total == 1190


def test_what_is_too_small_is_carried_to_the_next_invoice(api: Any) -> None:
    owner = customer(api)
    tiny = api.invoices.finalize_invoice(draft(api, owner, 30).id)
    assert (tiny.status, tiny.total, tiny.amount_due, tiny.ending_balance) == ("paid", 30, 0, 30)
    assert api.customers.retrieve(owner.id).balance == 30
    following = api.invoices.finalize_invoice(draft(api, owner, 500).id)
    assert (following.starting_balance, following.amount_due, following.ending_balance) == (30, 530, 0)


def test_credit_is_used_first_and_given_back_when_voided(api: Any) -> None:
    owner = customer(api, balance=-700)
    invoice = api.invoices.finalize_invoice(draft(api, owner, 1000).id)
    assert (invoice.amount_due, invoice.ending_balance) == (300, 0)
    api.invoices.void_invoice(invoice.id)
    assert api.customers.retrieve(owner.id).balance == -700
    covered = api.invoices.finalize_invoice(draft(api, owner, 200).id)
    assert (covered.status, covered.amount_due, covered.ending_balance) == ("paid", 0, -500)


def test_a_negative_invoice_becomes_credit(api: Any) -> None:
    owner = customer(api)
    assert api.invoices.finalize_invoice(draft(api, owner, 100, -400).id).status == "paid"
    assert api.customers.retrieve(owner.id).balance == -300


def test_currencies_that_are_different(api: Any) -> None:
    owner = customer(api)
    yen = api.invoices.finalize_invoice(draft(api, owner, 500, currency="jpy").id)
    assert yen.amount_due == 500
    for currency, wrong in [("isk", 150), ("kwd", 1005)]:
        with pytest.raises(stripe.InvalidRequestError, match="multiple of"):
            api.payment_intents.create({"amount": wrong, "currency": currency})
        with pytest.raises(stripe.InvalidRequestError, match="multiple of"):
            draft(api, owner, wrong, currency=currency)
    with pytest.raises(stripe.InvalidRequestError) as unknown:
        api.payment_intents.create({"amount": 100, "currency": "xxx"})
    assert unknown.value.param == "currency"
    invoice = draft(api, owner, currency="isk")
    item = api.invoice_items.create(
        {"customer": owner.id, "invoice": invoice.id, "unit_amount_decimal": "149.9", "currency": "isk"}
    )
    assert item.amount == 100


def test_amounts_have_bounds(api: Any) -> None:
    for amount, currency, code in [
        (49, "usd", "amount_too_small"),
        (49, "jpy", "amount_too_small"),
        (100_000_000, "eur", "amount_too_large"),
    ]:
        with pytest.raises(stripe.InvalidRequestError) as refused:
            api.payment_intents.create({"amount": amount, "currency": currency})
        assert refused.value.code == code


@given(total=st.integers(-(10**6), 10**6), balance=st.integers(-(10**6), 10**6))
def test_nothing_is_lost_between_invoice_and_balance(total: int, balance: int) -> None:
    result = due(total, balance, "usd")
    assert result.amount + result.ending_balance == total + balance
    assert result.amount == 0 or result.amount >= smallest("usd")


def test_halves_are_rounded_away_from_zero() -> None:
    assert [rounded(Decimal(text), "usd") for text in ("0.5", "-0.5", "1.4999", "2.5")] == [1, -1, 1, 3]
    assert rounded(Decimal("1234"), "kwd") == 1230
    assert [written(123456, currency) for currency in ("usd", "jpy", "kwd")] == [
        "1,234.56 USD",
        "123,456 JPY",
        "123.456 KWD",
    ]
