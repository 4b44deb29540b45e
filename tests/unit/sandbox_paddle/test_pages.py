"""Pages, as a browser without scripts meets them."""

from typing import Any

import httpx
import pytest
from paddle_billing.Resources.CustomerPortalSessions.Operations import CreateCustomerPortalSession

from tests.unit.sandbox_paddle.builders import (
    CARD,
    card,
    charge,
    customer,
    pay,
    price,
    statements,
    subscription,
    transaction,
)
from tests.unit.sandbox_paddle.conftest import Simulated
from tests.unit.sandbox_paddle.test_webhooks import destination

BACK = "http://127.0.0.1:1/done"


def test_a_stranger_pays_at_the_checkout(api: Any, browser: httpx.Client) -> None:
    made = transaction(api, price(api, 900))
    page = browser.get(made.checkout.url).text
    for shown in ("9.00 EUR", "Usage", "4000000000000002", "Email"):
        assert shown in page
    for wrong in ({"email": ""}, {"email": "ada@example.com", "country": "Germany"}):
        assert browser.post(made.checkout.url, data={**CARD, **wrong}).status_code == 402
    answer = browser.post(f"{made.checkout.url}&success_url={BACK}", data={**CARD, "email": "ada@example.com"})
    assert (answer.status_code, answer.headers["location"]) == (303, BACK)
    done = api.transactions.get(made.id)
    assert (done.status.value, api.customers.get(done.customer_id).email) == ("completed", "ada@example.com")
    assert "Thank you" in browser.get(made.checkout.url).text
    assert "Thank you" in browser.post(made.checkout.url, data=CARD).text
    assert len(api.transactions.get(made.id).payments) == 1


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"number": "4000000000009995"}, "insufficient funds"),
        ({"number": "1234"}, "only test cards"),
        ({"expiry": "01 / 20"}, "in the past"),
        ({"cvc": "1"}, "security code"),
    ],
)
def test_a_wrong_card_is_explained_and_another_may_be_tried(
    api: Any, browser: httpx.Client, changed: dict[str, str], message: str
) -> None:
    made = transaction(api, price(api, 900), customer_id=customer(api).id)
    refused = browser.post(made.checkout.url, data={**CARD, **changed, "name": "<script>"})
    assert (refused.status_code, message in refused.text, "<script>" in refused.text) == (402, True, False)
    assert api.transactions.get(made.id).status.value in {"draft", "ready"}
    assert pay(made).status_code == 200


def test_the_bank_asks(api: Any, browser: httpx.Client) -> None:
    made = transaction(api, price(api, 900), customer_id=customer(api).id)
    for answer, status in (("no", 402), ("agree", 200)):
        bank = browser.post(made.checkout.url, data=card("4000003800000446")).headers["location"]
        assert bank == f"/authenticate/{made.id}"
        assert api.transactions.get(made.id).payments[0].status == "action_required"
        assert "10.71 EUR" in browser.get(bank).text
        assert browser.post(bank, data={"answer": answer}).status_code == status
    done = api.transactions.get(made.id)
    assert [(one.status.value, one.error_code and one.error_code.value) for one in done.payments] == [
        ("captured", None), ("error", "authentication_failed"),
    ]  # fmt: skip
    one = api.subscriptions.get(done.subscription_id)
    charge(api, one, 500)
    assert statements(api, one)["st_1"].status == "completed"


def test_a_card_is_kept_only_with_consent(api: Any) -> None:
    owner = customer(api)
    for consent in ({}, {"save": "yes"}):
        pay(transaction(api, price(api, 900, cycle=None), customer_id=owner.id), **consent)
    [method] = api.payment_methods.list(owner.id)
    assert method.origin == "saved_during_purchase"
    assert api.payment_methods.get(owner.id, method.id).card.cardholder_name == "Ada Lovelace"


def test_the_portal_shows_payments_and_changes_the_card(api: Any, browser: httpx.Client) -> None:
    one = subscription(api, "4000002760003184", 900)
    charge(api, one, 5000, failure="apply_change")
    owed = statements(api, one)["st_1"]
    session = api.customer_portal_sessions.create(one.customer_id, CreateCustomerPortalSession([one.id]))
    page = browser.get(session.urls.general.overview).text
    for shown in (owed.invoice_number, f"/invoices/{owed.id}.pdf", "…3184", "59.50 EUR", "past_due"):
        assert shown in page
    [links] = session.urls.subscriptions
    checkout = browser.get(links.update_subscription_payment_method).headers["location"]
    browser.post(checkout, data=CARD)
    assert api.transactions.get(owed.id).status == "completed"
    assert "ends when the period does" in browser.get(links.cancel_subscription).text
    assert "Canceled" in browser.post(links.cancel_subscription).text
    assert api.subscriptions.get(one.id).scheduled_change.action == "cancel"
    assert browser.get(one.management_urls.cancel).status_code == 200
    [method] = list(api.payment_methods.list(one.customer_id))[1:]
    browser.post(session.urls.general.overview, data={"remove": method.id})
    assert len(list(api.payment_methods.list(one.customer_id))) == 1


def test_a_person_acts_in_the_dashboard(sim: Simulated, api: Any, browser: httpx.Client) -> None:
    one = subscription(api, amount=1000)
    charge(api, one, 2000)
    made = statements(api, one)["st_1"]
    at = f"/dashboard/transactions/{made.id}"
    browser.post(f"{at}/refund", data={"amount": "400"})
    assert api.transactions.get(made.id).details.adjusted_totals.total == "1980"
    assert browser.post(f"{at}/refund", data={"amount": "9999"}).status_code == 400
    draft = transaction(api, price(api, 500, "JPY"))
    browser.post(f"/dashboard/transactions/{draft.id}/edit", data={"number": "PO <b>7</b>"})
    assert api.transactions.get(draft.id).billing_details.purchase_order_number == "PO <b>7</b>"
    browser.post(f"/dashboard/transactions/{draft.id}/cancel")
    assert api.transactions.get(draft.id).status == "canceled"
    [method] = api.payment_methods.list(one.customer_id)
    for path in ("", f"/transactions/{made.id}", f"/subscriptions/{one.id}", f"/customers/{one.customer_id}"):
        assert browser.get(f"/dashboard{path}").status_code == 200
    browser.post(f"/dashboard/methods/{method.id}/delete")
    assert list(api.payment_methods.list(one.customer_id)) == []
    browser.post(f"/dashboard/subscriptions/{one.id}/pause")
    assert api.subscriptions.get(one.id).status == "paused"
    browser.post(f"/dashboard/subscriptions/{one.id}/cancel")
    assert api.subscriptions.get(one.id).status == "canceled"
    assert browser.post(f"/dashboard/subscriptions/{one.id}/cancel").status_code == 400
    assert browser.get("/dashboard/customers/none").status_code == 404


def test_webhooks_faults_and_time_in_the_dashboard(sim: Simulated, api: Any, browser: httpx.Client) -> None:
    sim.control("webhooks", mode="manual")
    destination(api, "http://127.0.0.1:9/", "customer.created")
    customer(api)
    sim.control("faults", kind="slow", path="/never")
    browser.post("/dashboard/webhooks/deliver")
    page = browser.get(browser.get("/").headers["location"]).text
    for shown in ("Simulated Paddle", "customer.created", "ConnectError", "/never"):
        assert shown in page
    [event] = api.events.list()
    browser.post(f"/dashboard/events/{event.event_id}/resend")
    browser.post("/dashboard/faults/clear")
    assert sim.see("faults") == []
    before = sim.see("clock")["now"]
    browser.post("/dashboard/clock/advance", data={"seconds": "3600"})
    assert sim.see("clock")["now"] >= before + 3600
