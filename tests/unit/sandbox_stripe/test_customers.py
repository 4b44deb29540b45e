"""Customers and their cards."""

from typing import Any

import pytest
import stripe

from tests.unit.sandbox_stripe.builders import customer, event_types


def test_a_customer_is_made_changed_found_and_deleted(api: Any) -> None:
    made = api.customers.create({"email": "a@example.com", "metadata": {"tenant": "t1", "old": "x"}})
    changed = api.customers.update(made.id, {"name": "Ada", "metadata": {"old": "", "new": "y"}})
    assert (changed.name, changed.metadata.to_dict()) == ("Ada", {"tenant": "t1", "new": "y"})
    assert [one.id for one in api.customers.list({"email": "a@example.com"})] == [made.id]
    assert [one.id for one in api.customers.search({"query": "metadata['tenant']:'t1'"})] == [made.id]
    assert api.customers.delete(made.id).deleted
    assert api.customers.retrieve(made.id).deleted
    assert api.customers.list().data == []
    assert event_types(api) == ["customer.created", "customer.updated", "customer.deleted"]
    with pytest.raises(stripe.InvalidRequestError, match="No such customer"):
        api.customers.update(made.id, {"name": "x"})
    for resource in (api.invoices, api.invoice_items):
        with pytest.raises(stripe.InvalidRequestError, match="No such customer"):
            resource.create({"customer": made.id})


def test_the_invoice_of_a_deleted_customer_cannot_be_finalised(api: Any) -> None:
    owner = customer(api)
    invoice = api.invoices.create({"customer": owner.id, "currency": "usd"})
    api.customers.delete(owner.id)
    with pytest.raises(stripe.InvalidRequestError, match="No such customer"):
        api.invoices.finalize_invoice(invoice.id)


def test_cards_are_saved_and_taken_off(api: Any) -> None:
    owner = customer(api)
    [method] = api.payment_methods.list({"customer": owner.id, "type": "card"}).data
    assert (method.card.last4, method.card.brand) == ("4242", "visa")
    assert api.customers.payment_methods.retrieve(owner.id, method.id).id == method.id
    other = customer(api, None)
    with pytest.raises(stripe.InvalidRequestError, match="already been attached"):
        api.payment_methods.attach(method.id, {"customer": other.id})
    api.payment_methods.detach(method.id)
    assert api.customers.retrieve(owner.id).invoice_settings.default_payment_method is None
    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        api.payment_methods.attach(method.id, {"customer": owner.id})


def test_a_declined_card_cannot_be_saved_but_0341_can(api: Any) -> None:
    owner = customer(api, None)
    with pytest.raises(stripe.CardError) as declined:
        api.payment_methods.attach("pm_card_chargeDeclinedLostCard", {"customer": owner.id})
    assert (declined.value.http_status, declined.value.code) == (402, "card_declined")
    assert declined.value.error is not None
    assert declined.value.error.decline_code == "lost_card"
    assert api.payment_methods.attach("pm_card_chargeCustomerFail", {"customer": owner.id}).customer == owner.id


def test_card_numbers_and_tokens_are_the_documented_ones(api: Any) -> None:
    by_number = {"number": "4000056655665556", "exp_month": 1, "exp_year": 2041}
    method = api.payment_methods.create({"type": "card", "card": by_number})
    assert (method.card.funding, method.card.exp_year) == ("debit", 2041)
    assert api.payment_methods.create({"type": "card", "card": {"token": "tok_visa"}}).card.last4 == "4242"
    with pytest.raises(stripe.CardError) as unknown:
        api.payment_methods.create({"type": "card", "card": by_number | {"number": "4111111111111111"}})
    assert unknown.value.code == "incorrect_number"


def test_a_balance_is_booked_by_hand(api: Any) -> None:
    owner = customer(api, None)
    api.customers.balance_transactions.create(owner.id, {"amount": -500, "currency": "eur", "description": "gift"})
    assert api.customers.retrieve(owner.id).balance == -500
    [booked] = api.customers.balance_transactions.list(owner.id).data
    assert (booked.amount, booked.ending_balance, booked.description) == (-500, -500, "gift")
