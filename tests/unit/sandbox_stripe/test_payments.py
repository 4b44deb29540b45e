"""Payment and setup intents, refunds and disputes."""

from typing import Any

import pytest
import stripe

from tests.unit.sandbox_stripe.builders import customer, event_types


def pay(api: Any, card: str, **more: Any) -> Any:
    return api.payment_intents.create(
        {"amount": 2000, "currency": "eur", "payment_method": card, "confirm": True, **more}
    )


def test_a_payment_and_its_charge(api: Any) -> None:
    owner = customer(api)
    method = api.customers.retrieve(owner.id).invoice_settings.default_payment_method
    intent = pay(
        api,
        method,
        customer=owner.id,
        off_session=True,
        metadata={"top_up": "1"},
        expand=["latest_charge.balance_transaction"],
    )
    assert (intent.status, intent.amount_received) == ("succeeded", 2000)
    charge = intent.latest_charge
    assert (charge.paid, charge.balance_transaction.net, charge.metadata.to_dict()) == (True, 2000, {"top_up": "1"})
    assert api.charges.retrieve(charge.id).payment_intent == intent.id
    assert [
        one.id for one in api.payment_intents.search({"query": "metadata['top_up']:'1' AND status:'succeeded'"})
    ] == [intent.id]
    assert api.balance.retrieve().available[0].amount == 2000
    assert event_types(api)[-3:] == ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded"]


@pytest.mark.parametrize(
    ("card", "code", "decline_code"),
    [
        ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", None),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", None),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", None),
    ],
)
def test_declines(api: Any, card: str, code: str, decline_code: str | None) -> None:
    with pytest.raises(stripe.CardError) as declined:
        pay(api, card)
    error: Any = declined.value
    assert (error.http_status, error.code, getattr(error.error, "decline_code", None)) == (402, code, decline_code)
    intent = api.payment_intents.retrieve(error.error.payment_intent.id)
    assert (intent.status, intent.last_payment_error.code) == ("requires_payment_method", code)
    assert event_types(api)[-2:] == ["charge.failed", "payment_intent.payment_failed"]
    assert api.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa"}).status == "succeeded"


def test_authentication_on_and_off_session(api: Any) -> None:
    waits = pay(api, "pm_card_authenticationRequired", return_url="http://127.0.0.1/back")
    assert waits.status == "requires_action"
    assert "/authenticate/" in waits.next_action.redirect_to_url.url
    with pytest.raises(stripe.CardError) as refused:
        pay(api, "pm_card_authenticationRequired", off_session=True)
    assert refused.value.code == "authentication_required"
    assert api.payment_intents.cancel(waits.id).status == "canceled"
    with pytest.raises(stripe.InvalidRequestError) as over:
        api.payment_intents.confirm(waits.id)
    assert over.value.code == "payment_intent_unexpected_state"


def test_a_card_set_up_with_its_owner_pays_without(api: Any, browser: Any) -> None:
    owner = customer(api, None)
    intent = api.setup_intents.create(
        {
            "customer": owner.id,
            "payment_method": "pm_card_authenticationRequiredOnSetup",
            "confirm": True,
            "return_url": "http://x",
        }
    )
    assert intent.status == "requires_action"
    browser.post(f"/authenticate/{intent.id}", data={"answer": "agree"})
    saved = api.setup_intents.retrieve(intent.id)
    assert saved.status == "succeeded"
    assert pay(api, saved.payment_method, customer=owner.id, off_session=True).status == "succeeded"


def test_a_setup_intent_reports_declines(api: Any) -> None:
    with pytest.raises(stripe.CardError):
        api.setup_intents.create({"payment_method": "pm_card_chargeDeclined", "confirm": True})
    [intent] = api.setup_intents.list().data
    assert intent.last_setup_error.code == "card_declined"
    assert api.setup_intents.cancel(intent.id).status == "canceled"


def test_refunds_in_parts_and_no_more_than_was_paid(api: Any) -> None:
    intent = pay(api, "pm_card_visa")
    api.refunds.create({"payment_intent": intent.id, "amount": 500, "reason": "requested_by_customer"})
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded"):
        api.refunds.create({"payment_intent": intent.id, "amount": 1501})
    assert api.refunds.create({"charge": intent.latest_charge}).amount == 1500
    charge = api.charges.retrieve(intent.latest_charge, {"expand": ["refunds"]})
    assert (charge.refunded, len(charge.refunds.data)) == (True, 2)
    with pytest.raises(stripe.InvalidRequestError) as again:
        api.refunds.create({"charge": charge.id})
    assert again.value.code == "charge_already_refunded"
    assert event_types(api).count("charge.refunded") == 2


def test_a_disputed_payment(api: Any) -> None:
    intent = pay(api, "pm_card_createDispute")
    [dispute] = api.disputes.list({"payment_intent": intent.id}).data
    assert (dispute.status, dispute.reason, dispute.amount) == ("needs_response", "fraudulent", 2000)
    assert api.balance.retrieve().available[0].amount == 0
    with pytest.raises(stripe.InvalidRequestError, match="charged back"):
        api.refunds.create({"payment_intent": intent.id})
    assert api.disputes.update(dispute.id, {"evidence": {"uncategorized_text": "ours"}}).status == "under_review"
    assert api.disputes.close(dispute.id).status == "lost"
    assert event_types(api)[-2:] == ["charge.dispute.updated", "charge.dispute.closed"]


def test_products_and_prices(api: Any) -> None:
    product = api.products.create({"name": "Tokens", "metadata": {"api": "llm"}})
    price = api.prices.create({"product": product.id, "currency": "eur", "unit_amount": 5, "lookup_key": "tokens"})
    assert api.prices.list({"lookup_keys": ["tokens"]}).data[0].id == price.id
    assert [one.id for one in api.products.search({"query": "metadata['api']:'llm'"})] == [product.id]
    assert api.prices.update(price.id, {"active": False}).active is False
    assert api.prices.list({"active": True}).data == []
    assert api.products.update(product.id, {"name": "More"}).name == "More"
    assert api.prices.search({"query": f"product:'{product.id}'"}).data[0].unit_amount == 5


def test_the_account(api: Any) -> None:
    assert api.accounts.retrieve_current().charges_enabled
