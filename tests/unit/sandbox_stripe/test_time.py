"""What happens when days pass."""

from typing import Any

from tests.unit.sandbox_stripe.builders import customer, draft, event_types
from tests.unit.sandbox_stripe.conftest import Simulated


def test_a_draft_that_advances_is_finalised_after_an_hour(sim: Simulated, api: Any) -> None:
    invoice = draft(api, customer(api), 1000, auto_advance=True)
    sim.control("clock", advance_seconds=3500)
    assert api.invoices.retrieve(invoice.id).status == "draft"
    sim.control("clock", advance_seconds=200)
    assert api.invoices.retrieve(invoice.id).status == "paid"


def test_a_draft_that_cannot_be_finalised_stays_and_says_why(sim: Simulated, api: Any) -> None:
    invoice = draft(api, customer(api), 1000, auto_advance=True, automatic_tax={"enabled": True})
    sim.pass_days(1)
    assert api.invoices.retrieve(invoice.id).status == "draft"
    assert event_types(api).count("invoice.finalization_failed") == 1


def test_payment_is_tried_again_on_days_3_5_and_7(sim: Simulated, api: Any) -> None:
    invoice = draft(api, customer(api, "pm_card_chargeCustomerFail"), 1000)
    opened = api.invoices.finalize_invoice(invoice.id, {"auto_advance": True})
    assert round((opened.next_payment_attempt - opened.status_transitions.finalized_at) / 86400) == 3
    sim.pass_days(3.1)
    assert api.invoices.retrieve(invoice.id).attempt_count == 2
    sim.pass_days(10)
    last = api.invoices.retrieve(invoice.id)
    assert (last.attempt_count, last.next_payment_attempt, last.status) == (4, None, "uncollectible")
    assert event_types(api)[-1] == "invoice.marked_uncollectible"


def test_a_new_card_is_used_by_the_next_retry(sim: Simulated, api: Any) -> None:
    owner = customer(api, "pm_card_chargeCustomerFail")
    invoice = draft(api, owner, 1000)
    api.invoices.finalize_invoice(invoice.id, {"auto_advance": True})
    method = api.payment_methods.attach("pm_card_visa", {"customer": owner.id})
    api.customers.update(owner.id, {"invoice_settings": {"default_payment_method": method.id}})
    sim.pass_days(3.1)
    assert api.invoices.retrieve(invoice.id).status == "paid"


def test_an_invoice_becomes_overdue_once(sim: Simulated, api: Any) -> None:
    invoice = draft(api, customer(api, None), 1000, collection_method="send_invoice", days_until_due=14)
    api.invoices.finalize_invoice(invoice.id)
    sim.pass_days(13)
    assert "invoice.overdue" not in event_types(api)
    sim.pass_days(20)
    assert event_types(api).count("invoice.overdue") == 1
    [event] = api.events.list({"type": "invoice.overdue"}).data
    assert abs(event.created - api.invoices.retrieve(invoice.id).due_date) < 2


def test_a_checkout_session_expires(sim: Simulated, api: Any) -> None:
    common = {"mode": "setup", "currency": "eur", "success_url": "http://127.0.0.1/"}
    by_time, by_hand = api.checkout.sessions.create(common), api.checkout.sessions.create(common)
    assert api.checkout.sessions.expire(by_hand.id).status == "expired"
    sim.pass_days(1.01)
    expired = api.checkout.sessions.retrieve(by_time.id)
    assert (expired.status, expired.url) == ("expired", None)
    assert event_types(api).count("checkout.session.expired") == 2


def test_the_clock_is_set(sim: Simulated, api: Any) -> None:
    aim = sim.see("clock")["now"] + 1000
    assert sim.control("clock", now=aim)["now"] == aim
    assert api.customers.create({}).created >= aim
