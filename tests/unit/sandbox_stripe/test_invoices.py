"""Invoices from draft to the end."""

from typing import Any

import pytest
import stripe

from tests.unit.sandbox_stripe.builders import customer, draft, event_types


def test_an_invoice_is_paid_by_the_card_on_file(api: Any) -> None:
    owner = customer(api)
    invoice = draft(api, owner, 1000, 250, -50)
    assert (invoice.status, invoice.total, invoice.number, invoice.hosted_invoice_url) == ("draft", 1200, None, None)
    assert not hasattr(invoice, "payment_intent")
    opened = api.invoices.finalize_invoice(invoice.id, {"expand": ["confirmation_secret", "payments"]})
    assert (opened.status, opened.amount_due, opened.amount_remaining) == ("open", 1200, 1200)
    assert opened.confirmation_secret.client_secret.startswith("pi_")
    paid = api.invoices.pay(invoice.id, {"expand": ["payments.data.payment.payment_intent"]})
    assert (paid.status, paid.amount_paid, paid.amount_remaining) == ("paid", 1200, 0)
    [payment] = paid.payments.data
    assert (payment.status, payment.payment.payment_intent.status) == ("paid", "succeeded")
    [listed] = api.invoice_payments.list({"invoice": invoice.id, "status": "paid"}).data
    assert listed.id == payment.id
    by_intent = {"payment": {"type": "payment_intent", "payment_intent": payment.payment.payment_intent.id}}
    assert [one.invoice for one in api.invoice_payments.list(by_intent)] == [invoice.id]
    types = event_types(api)
    for wanted in ("invoice.created", "invoice.finalized", "invoice.paid", "invoice_payment.paid", "charge.succeeded"):
        assert wanted in types
    assert types.index("invoice.finalized") < types.index("payment_intent.succeeded") < types.index("invoice.paid")


def test_finalising_with_auto_advance_collects_at_once(api: Any) -> None:
    invoice = draft(api, customer(api), 1000)
    assert api.invoices.finalize_invoice(invoice.id, {"auto_advance": True}).status == "paid"


def test_a_declined_card_leaves_the_invoice_open(api: Any) -> None:
    invoice = draft(api, customer(api, "pm_card_chargeCustomerFail"), 1000)
    opened = api.invoices.finalize_invoice(invoice.id, {"auto_advance": True})
    assert (opened.status, opened.attempt_count, opened.attempted) == ("open", 1, True)
    assert opened.next_payment_attempt is not None
    with pytest.raises(stripe.CardError) as declined:
        api.invoices.pay(invoice.id)
    error: Any = declined.value
    assert (error.code, error.error.decline_code) == ("card_declined", "generic_decline")
    assert event_types(api).count("invoice.payment_failed") == 2
    assert api.invoices.pay(invoice.id, {"payment_method": "pm_card_visa"}).status == "paid"


def test_without_a_card_nothing_is_collected(api: Any) -> None:
    invoice = draft(api, customer(api, None), 1000)
    api.invoices.finalize_invoice(invoice.id, {"auto_advance": True})
    with pytest.raises(stripe.InvalidRequestError, match="default_payment_method"):
        api.invoices.pay(invoice.id)


def test_a_card_that_asks_for_its_owner_waits(api: Any) -> None:
    invoice = draft(api, customer(api, "pm_card_authenticationRequired"), 1000)
    opened = api.invoices.finalize_invoice(
        invoice.id, {"auto_advance": True, "expand": ["payments.data.payment.payment_intent"]}
    )
    assert opened.status == "open"
    assert opened.payments.data[0].payment.payment_intent.status == "requires_action"
    assert "invoice.payment_action_required" in event_types(api)
    with pytest.raises(stripe.CardError) as waits:
        api.invoices.pay(invoice.id)
    assert waits.value.code == "invoice_payment_intent_requires_action"


def test_items_go_only_on_drafts_and_at_most_250(api: Any) -> None:
    owner = customer(api)
    invoice = draft(api, owner)
    for _ in range(2):
        api.invoices.add_lines(invoice.id, {"lines": [{"amount": 10, "description": "x"}] * 125})
    with pytest.raises(stripe.InvalidRequestError, match="at most 250"):
        api.invoice_items.create({"customer": owner.id, "invoice": invoice.id, "amount": 10})
    full = api.invoices.retrieve(invoice.id)
    assert (full.total, len(full.lines.data), full.lines.has_more) == (2500, 10, True)
    assert len(list(api.invoices.line_items.list(invoice.id, {"limit": 100}).auto_paging_iter())) == 250
    api.invoices.finalize_invoice(invoice.id)
    with pytest.raises(stripe.InvalidRequestError) as late:
        api.invoice_items.create({"customer": owner.id, "invoice": invoice.id, "amount": 10})
    assert late.value.code == "invoice_not_editable"


def test_lines_are_added_all_or_none(api: Any) -> None:
    invoice = draft(api, customer(api))
    with pytest.raises(stripe.InvalidRequestError):
        api.invoices.add_lines(invoice.id, {"lines": [{"amount": 10}, {"description": "no amount"}]})
    assert api.invoices.retrieve(invoice.id).total == 0
    assert api.invoice_items.list().data == []


def test_pending_items_are_taken_when_asked_for(api: Any) -> None:
    owner = customer(api)
    item = api.invoice_items.create({"customer": owner.id, "amount": 700, "metadata": {"line": "1"}})
    assert item.invoice is None
    alone = api.invoices.create({"customer": owner.id, "currency": "usd"})
    assert alone.total == 0
    taking = api.invoices.create({"customer": owner.id, "currency": "usd", "pending_invoice_items_behavior": "include"})
    assert taking.total == 700
    [line] = taking.lines.data
    assert line.parent.invoice_item_details.invoice_item == item.id
    assert line.metadata.to_dict() == {"line": "1"}
    assert api.invoice_items.list({"pending": True}).data == []


def test_an_item_is_changed_and_taken_off_while_a_draft(api: Any) -> None:
    owner = customer(api)
    invoice = draft(api, owner, 100, 200)
    first, second = api.invoice_items.list({"invoice": invoice.id}).data
    api.invoice_items.delete(first.id)
    api.invoice_items.update(second.id, {"amount": 150, "description": "less"})
    now = api.invoices.retrieve(invoice.id)
    assert (now.total, now.lines.data[0].description) == (150, "less")
    api.invoices.finalize_invoice(invoice.id)
    with pytest.raises(stripe.InvalidRequestError):
        api.invoice_items.delete(second.id)


def test_a_finalised_invoice_changes_only_in_what_moves_no_money(api: Any) -> None:
    invoice = draft(api, customer(api), 1000)
    api.invoices.finalize_invoice(invoice.id)
    assert api.invoices.update(invoice.id, {"metadata": {"a": "b"}, "description": "memo"}).description == "memo"
    with pytest.raises(stripe.InvalidRequestError) as fixed:
        api.invoices.update(invoice.id, {"collection_method": "send_invoice"})
    assert (fixed.value.code, fixed.value.param) == ("invoice_not_editable", "collection_method")
    with pytest.raises(stripe.InvalidRequestError, match="already finalized"):
        api.invoices.finalize_invoice(invoice.id)
    with pytest.raises(stripe.InvalidRequestError, match="only delete draft"):
        api.invoices.delete(invoice.id)


def test_void_uncollectible_and_paid_elsewhere(api: Any) -> None:
    owner = customer(api)
    voided, lost, elsewhere = (api.invoices.finalize_invoice(draft(api, owner, 1000).id) for _ in range(3))
    assert api.invoices.void_invoice(voided.id).status == "void"
    assert api.invoices.mark_uncollectible(lost.id).status == "uncollectible"
    assert api.invoices.pay(lost.id).status == "paid"
    paid = api.invoices.pay(
        elsewhere.id, {"paid_out_of_band": True, "expand": ["payments.data.payment.payment_intent"]}
    )
    assert (paid.status, paid.amount_paid_off_stripe) == ("paid", 1000)
    assert paid.payments.data[0].payment.payment_intent.status == "canceled"
    for call in (api.invoices.void_invoice, api.invoices.mark_uncollectible, api.invoices.pay):
        with pytest.raises(stripe.InvalidRequestError):
            call(elsewhere.id)
    assert [one.id for one in api.invoices.list({"status": "void"})] == [voided.id]
    assert [one.id for one in api.invoices.search({"query": "status:'void'"})] == [voided.id]


def test_a_draft_is_deleted_with_its_items(api: Any) -> None:
    invoice = draft(api, customer(api), 1000)
    assert api.invoices.delete(invoice.id).deleted
    assert api.invoice_items.list().data == []


def test_sending_needs_terms_and_the_right_method(api: Any) -> None:
    owner = customer(api, None)
    with pytest.raises(stripe.InvalidRequestError, match="days_until_due"):
        api.invoices.create({"customer": owner.id, "collection_method": "send_invoice"})
    with pytest.raises(stripe.InvalidRequestError, match="send_invoice"):
        api.invoices.create({"customer": owner.id, "days_until_due": 5})
    invoice = draft(api, owner, 1000, collection_method="send_invoice", days_until_due=14)
    sent = api.invoices.send_invoice(invoice.id)
    assert (sent.status, sent.due_date - sent.status_transitions.finalized_at) == ("open", 14 * 24 * 3600)
    assert "invoice.sent" in event_types(api)
    with pytest.raises(stripe.InvalidRequestError):
        api.invoices.send_invoice(draft(api, owner, 5).id)


def test_the_customer_of_an_item_and_its_currency_must_be_those_of_the_invoice(api: Any) -> None:
    owner, other = customer(api, None), customer(api, None)
    invoice = draft(api, owner, currency="eur")
    with pytest.raises(stripe.InvalidRequestError, match="currency"):
        api.invoice_items.create({"customer": owner.id, "invoice": invoice.id, "amount": 5, "currency": "usd"})
    with pytest.raises(stripe.InvalidRequestError, match="another customer"):
        api.invoice_items.create({"customer": other.id, "invoice": invoice.id, "amount": 5, "currency": "eur"})


def test_items_of_prices(api: Any) -> None:
    owner = customer(api, None)
    product = api.products.create({"name": "Tokens"})
    price = api.prices.create({"product": product.id, "currency": "usd", "unit_amount_decimal": "0.5"})
    invoice = draft(api, owner)
    common = {"customer": owner.id, "invoice": invoice.id}
    item = api.invoice_items.create({**common, "pricing": {"price": price.id}, "quantity": 7})
    assert (item.amount, item.description, item.pricing.price_details.price) == (4, "Tokens", price.id)
    inline = {"currency": "usd", "product": product.id, "unit_amount_decimal": "1.25"}
    assert api.invoice_items.create({**common, "price_data": inline, "quantity_decimal": "2.5"}).amount == 3


def test_credit_notes_before_and_after_payment(api: Any) -> None:
    invoice = api.invoices.finalize_invoice(draft(api, customer(api), 1000).id)
    before = api.credit_notes.create({"invoice": invoice.id, "amount": 300, "reason": "order_change"})
    assert (before.type, before.pre_payment_amount, before.status) == ("pre_payment", 300, "issued")
    assert api.invoices.pay(invoice.id).amount_paid == 700
    with pytest.raises(stripe.InvalidRequestError, match="must sum to"):
        api.credit_notes.create({"invoice": invoice.id, "amount": 200})
    after = api.credit_notes.create({"invoice": invoice.id, "amount": 200, "refund_amount": 150, "credit_amount": 50})
    assert (after.type, after.post_payment_amount) == ("post_payment", 200)
    assert api.refunds.retrieve(after.refunds[0].refund).amount == 150
    assert api.customers.retrieve(invoice.customer).balance == -50
    with pytest.raises(stripe.InvalidRequestError, match="what is left"):
        api.credit_notes.create({"invoice": invoice.id, "amount": 501, "refund_amount": 501})
    assert [one.id for one in api.credit_notes.list({"invoice": invoice.id})] == [after.id, before.id]
    assert [line.amount for line in api.credit_notes.line_items.list(after.id)] == [200]


def test_a_credit_note_over_all_settles_an_open_invoice(api: Any) -> None:
    invoice = api.invoices.finalize_invoice(draft(api, customer(api), 1000).id)
    api.credit_notes.create(
        {"invoice": invoice.id, "lines": [{"type": "invoice_line_item", "invoice_line_item": invoice.lines.data[0].id}]}
    )
    assert api.invoices.retrieve(invoice.id).status == "paid"


def test_a_subscription_starts_falls_behind_and_ends(api: Any) -> None:
    price = api.prices.create(
        {"currency": "usd", "unit_amount": 900, "recurring": {"interval": "month"}, "product_data": {"name": "Base"}}
    )
    owner = customer(api)
    made = api.subscriptions.create(
        {"customer": owner.id, "items": [{"price": price.id}], "expand": ["latest_invoice.payments"]}
    )
    assert (made.status, made.latest_invoice.status, made.latest_invoice.total) == ("active", "paid", 900)
    assert made.latest_invoice.parent.subscription_details.subscription == made.id
    poor = customer(api, "pm_card_chargeCustomerFail")
    assert api.subscriptions.create({"customer": poor.id, "items": [{"price": price.id}]}).status == "incomplete"
    assert api.subscriptions.cancel(made.id).status == "canceled"
    assert len(api.subscriptions.list().data) == 1
    assert len(api.subscriptions.list({"status": "all"}).data) == 2
