"""Pages, as a browser without scripts meets them."""

from typing import Any

import httpx
import pytest

from tests.unit.sandbox_stripe.builders import customer, draft, event_types
from tests.unit.sandbox_stripe.conftest import Simulated

CARD = {"number": "4242 4242 4242 4242", "expiry": "12 / 40", "cvc": "123", "name": "Ada Lovelace", "country": "de"}
BACK = "http://127.0.0.1:1/done?session={CHECKOUT_SESSION_ID}"


def card(number: str) -> dict[str, str]:
    return {**CARD, "number": number}


def session(api: Any, mode: str, **more: Any) -> Any:
    return api.checkout.sessions.create(
        {"mode": mode, "success_url": BACK, "cancel_url": "http://127.0.0.1:1/no", **more}
    )


def top_up(api: Any, **more: Any) -> Any:
    items = [
        {"price_data": {"currency": "eur", "unit_amount": 2500, "product_data": {"name": "Credit"}}, "quantity": 2}
    ]
    return session(api, "payment", line_items=items, **more)


def test_paying_on_the_checkout_page(api: Any, browser: httpx.Client) -> None:
    owner = customer(api, None)
    made = top_up(
        api, customer=owner.id, client_reference_id="order-1", payment_intent_data={"metadata": {"top_up": "t1"}}
    )
    assert (made.amount_total, made.payment_status, made.status) == (5000, "unpaid", "open")
    page = browser.get(made.url)
    for shown in ("50.00 EUR", "Credit", "4000000000000002", "http://127.0.0.1:1/no"):
        assert shown in page.text
    answer = browser.post(made.url, data=CARD)
    assert (answer.status_code, answer.headers["location"]) == (303, f"http://127.0.0.1:1/done?session={made.id}")
    done = api.checkout.sessions.retrieve(made.id, {"expand": ["payment_intent", "line_items"]})
    assert (done.status, done.payment_status, done.url) == ("complete", "paid", None)
    assert done.payment_intent.metadata.to_dict() == {"top_up": "t1"}
    assert (done.payment_intent.customer, done.line_items.data[0].quantity) == (owner.id, 2)
    assert event_types(api)[-1] == "checkout.session.completed"
    assert "already" in browser.get(f"/c/pay/{made.id}").text
    assert "already" in browser.post(f"/c/pay/{made.id}", data=CARD).text
    assert len(api.charges.list().data) == 1


@pytest.mark.parametrize(
    ("iban", "word", "status"),
    [("DE89 3704 0044 0532 0130 00", "succeeded", "paid"), ("DE62370400440532013001", "failed", "unpaid")],
)
def test_a_bank_debit_settles_days_later(
    sim: Simulated, api: Any, browser: httpx.Client, iban: str, word: str, status: str
) -> None:
    made = top_up(api, allowed_payment_method_types=["card", "sepa_debit"])
    assert browser.post(made.url, data={"iban": "DE00", "name": "Ada"}).status_code == 402
    assert browser.post(made.url, data={"iban": iban, "name": "Ada"}).status_code == 303
    promised = api.checkout.sessions.retrieve(made.id, {"expand": ["payment_intent"]})
    assert (promised.status, promised.payment_status, promised.payment_intent.status) == (
        "complete",
        "unpaid",
        "processing",
    )
    sim.pass_days(4)
    assert api.checkout.sessions.retrieve(made.id).payment_status == "unpaid"
    sim.pass_days(1.1)
    assert api.checkout.sessions.retrieve(made.id).payment_status == status
    assert event_types(api)[-1] == f"checkout.session.async_payment_{word}"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"number": "4000000000009995"}, "insufficient funds"),
        ({"number": "1234"}, "only test cards"),
        ({"expiry": "01 / 20"}, "in the past"),
        ({"expiry": "soon"}, "MM / YY"),
        ({"cvc": "1"}, "security code"),
    ],
)
def test_a_wrong_card_is_explained_and_another_may_be_tried(
    api: Any, browser: httpx.Client, changed: dict[str, str], message: str
) -> None:
    made = top_up(api)
    refused = browser.post(made.url, data={**CARD, **changed, "name": "<script>"})
    assert refused.status_code == 402
    assert message in refused.text
    assert "<script>" not in refused.text
    assert api.checkout.sessions.retrieve(made.id).status == "open"
    assert browser.post(made.url, data=CARD).status_code == 303


def test_saving_a_card_with_authentication(api: Any, browser: httpx.Client) -> None:
    owner = customer(api, None)
    made = session(api, "setup", currency="eur", customer=owner.id, setup_intent_data={"metadata": {"a": "b"}})
    asked = browser.post(made.url, data=card("4000002500003155"))
    bank = asked.headers["location"]
    assert bank == f"/authenticate/{made.setup_intent}"
    assert "save your card" in browser.get(bank).text
    assert browser.post(bank, data={"answer": "agree"}).headers["location"].endswith(made.id)
    intent = api.setup_intents.retrieve(made.setup_intent)
    assert (intent.status, intent.metadata.to_dict()) == ("succeeded", {"a": "b"})
    method = api.payment_methods.retrieve(intent.payment_method)
    assert (method.customer, method.billing_details.name, method.billing_details.address.country) == (
        owner.id,
        "Ada Lovelace",
        "DE",
    )
    paid = api.payment_intents.create(
        {
            "amount": 500,
            "currency": "eur",
            "customer": owner.id,
            "payment_method": method.id,
            "confirm": True,
            "off_session": True,
        }
    )
    assert paid.status == "succeeded"


def test_failing_the_authentication_leads_back(api: Any, browser: httpx.Client) -> None:
    made = top_up(api)
    bank = browser.post(made.url, data=card("4000002760003184")).headers["location"]
    assert browser.post(bank, data={"answer": "no"}).headers["location"] == f"/c/pay/{made.id}"
    assert browser.post(made.url, data=CARD).status_code == 303
    assert api.checkout.sessions.retrieve(made.id).payment_status == "paid"


def test_subscribing_makes_a_customer(api: Any, browser: httpx.Client) -> None:
    price = api.prices.create(
        {"currency": "usd", "unit_amount": 900, "recurring": {"interval": "month"}, "product_data": {"name": "Base"}}
    )
    made = session(
        api,
        "subscription",
        line_items=[{"price": price.id, "quantity": 1}],
        subscription_data={"metadata": {"plan": "p"}},
    )
    assert browser.post(made.url, data=card("4000000000000341")).status_code == 402
    assert browser.post(made.url, data={**CARD, "email": "ada@example.com"}).status_code == 303
    done = api.checkout.sessions.retrieve(made.id, {"expand": ["subscription", "customer"]})
    assert (done.subscription.status, done.subscription.metadata.to_dict()) == ("active", {"plan": "p"})
    assert done.customer.name == "Ada Lovelace"
    assert done.customer_details.email == "ada@example.com"


def test_the_hosted_invoice_is_paid_and_authenticated(api: Any, browser: httpx.Client) -> None:
    invoice = api.invoices.finalize_invoice(draft(api, customer(api, None), 1000, description="March & more").id)
    page = browser.get(invoice.hosted_invoice_url).text
    assert "10.00 USD" in page
    assert "March &amp; more" in page
    assert browser.get(invoice.invoice_pdf).content.startswith(b"%PDF-1.4")
    assert browser.post(invoice.hosted_invoice_url, data=card("4000000000000002")).status_code == 402
    bank = browser.post(invoice.hosted_invoice_url, data=card("4000002760003184")).headers["location"]
    assert "Authenticate the payment" in browser.get(invoice.hosted_invoice_url).text
    assert browser.post(bank, data={"answer": "agree"}).headers["location"] == f"/i/{invoice.id}"
    assert api.invoices.retrieve(invoice.id).status == "paid"
    assert browser.get(f"/i/{draft(api, customer(api, None), 5).id}").status_code == 404


def test_the_portal_shows_invoices_and_changes_the_card(api: Any, browser: httpx.Client) -> None:
    owner = customer(api)
    invoice = api.invoices.finalize_invoice(draft(api, owner, 1000).id)
    portal = api.billing_portal.sessions.create({"customer": owner.id, "return_url": "http://127.0.0.1:1/home"})
    page = browser.get(portal.url).text
    for shown in (invoice.number, f"/i/{invoice.id}", "…4242", "http://127.0.0.1:1/home"):
        assert shown in page
    assert browser.post(portal.url, data=card("5555555555554444")).status_code == 303
    default = api.customers.retrieve(owner.id, {"expand": ["invoice_settings.default_payment_method"]})
    method = default.invoice_settings.default_payment_method
    assert method.card.brand == "mastercard"
    browser.post(portal.url, data={"remove": method.id})
    assert api.customers.retrieve(owner.id).invoice_settings.default_payment_method is None
    assert browser.post(portal.url, data=card("4000000000000002")).status_code == 402


def test_a_person_acts_in_the_dashboard(sim: Simulated, api: Any, browser: httpx.Client) -> None:
    owner = customer(api, name="Bobby <b>Tables</b>")
    first, second, third = (draft(api, owner, 1000) for _ in range(3))
    for made in (first, second, third):
        browser.post(f"/dashboard/invoices/{made.id}/finalize")
    browser.post(f"/dashboard/invoices/{first.id}/memo", data={"memo": "Hello"})
    browser.post(f"/dashboard/invoices/{first.id}/void")
    browser.post(f"/dashboard/invoices/{second.id}/uncollectible")
    browser.post(f"/dashboard/invoices/{second.id}/paid")
    browser.post(f"/dashboard/invoices/{third.id}/charge")
    found = [api.invoices.retrieve(one.id) for one in (first, second, third)]
    assert [one.status for one in found] == ["void", "paid", "paid"]
    assert found[0].description == "Hello"
    [charge] = api.charges.list().data
    browser.post(f"/dashboard/charges/{charge.id}/refund", data={"amount": "400"})
    browser.post(f"/dashboard/charges/{charge.id}/dispute")
    [dispute] = api.disputes.list().data
    assert (dispute.amount, api.charges.retrieve(charge.id).amount_refunded) == (600, 400)
    browser.post(f"/dashboard/disputes/{dispute.id}/win")
    assert api.disputes.retrieve(dispute.id).status == "won"
    overview = browser.get("/dashboard").text
    assert "Bobby &lt;b&gt;Tables" in overview
    for path in (f"/dashboard/invoices/{first.id}", f"/dashboard/customers/{owner.id}"):
        assert browser.get(path).status_code == 200
    refused = browser.post(f"/dashboard/invoices/{first.id}/void")
    assert refused.status_code == 400
    assert "can be voided" in refused.text
    browser.post(f"/dashboard/customers/{owner.id}/delete")
    assert api.customers.retrieve(owner.id).deleted
    assert browser.get("/dashboard").status_code == 200
    assert browser.get(f"/dashboard/customers/{owner.id}").status_code == 404


def test_webhooks_faults_and_time_in_the_dashboard(sim: Simulated, api: Any, browser: httpx.Client) -> None:
    sim.control("webhooks", mode="manual")
    api.webhook_endpoints.create({"url": "http://127.0.0.1:9/", "enabled_events": ["*"]})
    customer(api, None)
    sim.control("faults", kind="slow", path="/v1/never")
    assert browser.post("/dashboard/webhooks/deliver").status_code == 303
    overview = browser.get("/").headers["location"]
    page = browser.get(overview).text
    for shown in ("customer.created", "ConnectError", "/v1/never"):
        assert shown in page
    [event] = api.events.list().data
    browser.post(f"/dashboard/events/{event.id}/resend")
    browser.post("/dashboard/faults/clear")
    assert sim.see("faults") == []
    before = sim.see("clock")["now"]
    browser.post("/dashboard/clock/advance", data={"seconds": "3600"})
    assert sim.see("clock")["now"] >= before + 3600
    assert "body" in browser.get("/assets/style.css").text
