"""Checkouts, top-ups, refunds, portals and comparisons over billing's HTTP API, with a provider behind it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from msgspec.structs import replace
from sqlalchemy import insert, select, update

from tests.integration.billing.conftest import Clock, prepare, shared_valkey, valkey
from tests.integration.billing.neighbours import ADMIN_TOKEN, PEPPER, Valkey
from tests.integration.payments.account import SECRET_KEY, WEBHOOK_SECRET, StripeAccount
from tests.unit.billing.builders import make_catalog, make_fee
from tollgate_billing.http.app import build_app
from tollgate_billing.ledger.tables import inbox, invoices, outbox
from tollgate_billing.main import Billing
from tollgate_billing.payments.inbox import receive
from tollgate_billing.payments.port import ProviderEvent
from tollgate_billing.settings import Settings
from tollgate_core.catalog import PaymentProvider, TopUps
from tollgate_core.payment_keys import keys_file

__all__ = ["shared_valkey", "valkey"]
SHOP = "team/shop"
PAGES = {"success_url": "http://127.0.0.1:1/done", "cancel_url": "http://127.0.0.1:1/no"}
CARD = {"number": "4242424242424242", "expiry": "12 / 40", "cvc": "123", "name": "Ada Lovelace", "country": "de"}


class Office:
    """Billing, driven step by step, and its HTTP API."""

    def __init__(self, billing: Billing, client: TestClient, account: StripeAccount, clock: Clock) -> None:
        self.billing, self.client, self.account, self.clock = billing, client, account, clock

    def post(self, path: str, body: Any = None, status: int = 201) -> Any:
        answer = self.client.post(f"/v1{path}", json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    def get(self, path: str, status: int = 200) -> Any:
        answer = self.client.get(f"/v1{path}")
        assert answer.status_code == status, answer.text
        return answer.json()

    def work(self) -> None:
        for _ in range(3):
            self.clock.now_ms += 700_000
            self.billing.closer.tick()
            self.billing.sender.tick()
            self.billing.follower.tick()

    def check_out(self, name: str = "c1") -> str:
        """A new customer with a card; answers the subscription's name."""
        asked = {"id": name, "subscription": "team/ada", "product": "pro", "customer": "ada", **PAGES}
        begun = self.post("/checkouts", asked)
        assert self.account.control.post(begun["url"], data=CARD).status_code == 303
        assert self.get(f"/checkouts/{name}")["status"] == "complete"
        return "team%2Fada"


@pytest.fixture
def office(account: StripeAccount, valkey: Valkey, tmp_path: Path) -> Iterator[Office]:
    keys = tmp_path / "keys"
    keys.mkdir()
    (keys / keys_file(SHOP)).write_text(json.dumps({"secretKey": SECRET_KEY, "webhookSecrets": [WEBHOOK_SECRET]}))
    clock = Clock(1_770_000_000_000)  # before the simulator's, which lists events by its own time
    settings = Settings(
        redis_url=valkey.url,
        database_url=f"sqlite:///{tmp_path / 'ledger.db'}",
        key_pepper=PEPPER.encode(),
        admin_token=ADMIN_TOKEN,
        consumer="billing-1",
        payment_keys_dir=keys,
        close_delay_seconds=0,
    )
    billing = Billing(settings, clock)
    prepare(billing)
    catalog = make_catalog()
    top_ups = TopUps(least="5", most="100", automatic_per_day=2, automatic_per_month="1000")
    product = replace(catalog.products[0], payment_provider=SHOP, overdraft="0", top_ups=top_ups)
    shop = PaymentProvider(name=SHOP, kind="stripe", api_url=account.url)
    fee = make_fee(amount="20", in_arrears=False)
    valkey.publish(replace(catalog, products=(product,), prices=(fee,), payment_providers=(shop,), subscriptions=()))
    assert billing.keeper.tick()
    assert billing.checker.tick() == 1
    with TestClient(build_app(billing.services), headers={"authorization": f"Bearer {ADMIN_TOKEN}"}) as client:
        yield Office(billing, client, account, clock)
    billing.close()


def test_a_checkout_leads_to_a_subscription_with_a_key_and_a_paid_invoice(office: Office) -> None:
    name = office.check_out()
    office.work()
    (statement,) = office.get(f"/subscriptions/{name}/statements")["statements"]
    assert office.get(f"/statements/{statement['id']}")["payment_status"] == "paid"
    assert office.post(f"/subscriptions/{name}/keys")["key"].startswith("tg_")
    assert office.get(f"/subscriptions/{name}/payment-method")["payment_method"]["last4"] == "4242"
    page = office.post(f"/subscriptions/{name}/billing-portal", {"return_url": "http://127.0.0.1:1/home"})
    assert office.account.control.get(page["url"]).status_code == 200
    assert office.get("/checkouts?status=complete")["checkouts"][0]["subscription"] == "team/ada"


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"product": "prp"}, 409, "there is no product prp"),
        ({"customer": ""}, 422, "customer: is needed"),
        ({"product": ""}, 404, "there is no subscription"),
        ({"success_url": "javascript:alert(1)"}, 422, "success_url"),
        ({"currency": "XYZ"}, 409, "no price in XYZ"),
        ({"id": "a b"}, 422, "id"),
        ({"subscription": "Team"}, 422, "subscription"),
    ],
)
def test_a_checkout_that_would_end_badly_does_not_begin(
    office: Office, change: dict[str, str], status: int, said: str
) -> None:
    asked = {"id": "c1", "subscription": "team/ada", "product": "pro", "customer": "ada", **PAGES}
    assert said in json.dumps(office.post("/checkouts", {**asked, **change}, status))
    assert office.account.client.customers.list().data == []


def test_a_checkout_whose_answer_was_lost_is_asked_for_again(office: Office) -> None:
    asked = {"id": "c1", "subscription": "team/ada", "product": "pro", "customer": "ada", **PAGES}
    office.account.fault("answer_lost", "/v1/checkout/sessions", "POST")
    assert "ask again with the same id" in office.post("/checkouts", asked, 503)["detail"]
    begun = office.post("/checkouts", asked)
    assert len(office.account.client.checkout.sessions.list().data) == 1
    assert office.post("/checkouts", asked) == begun
    assert "another content" in office.post("/checkouts", {**asked, "customer": "eve"}, 409)["detail"]


def test_a_top_up_is_charged_and_refunded(office: Office) -> None:
    name = office.check_out()
    office.work()
    made = office.post(f"/subscriptions/{name}/top-ups", {"id": "t1", "amount": "25"})
    assert (made["state"], made["invoice"]["status"]) == ("pending", "waiting")
    assert "is collecting the top-up" in office.post("/top-ups/t1/paid", status=409)["detail"]
    office.work()
    assert office.get("/top-ups/t1")["invoice"]["status"] == "paid"
    assert [one["amount"] for one in office.get("/top-ups/t1/payments")["payments"]] == ["25.00"]
    assert "give it back with a refund" in office.post("/top-ups/t1/failed", status=409)["detail"]
    refund = {"id": "r1", "amount": "10", "reason": "asked for"}
    assert office.post("/top-ups/t1/refunds", refund)["state"] == "pending"
    office.work()
    assert office.get("/top-ups/t1/refunds")["refunds"][0]["state"] == "done"
    assert office.get(f"/subscriptions/{name}/wallet")["settled"] == "15.00"
    too_much = {"id": "r2", "amount": "15.01", "reason": "x"}
    assert "at most 15.00 USD" in office.post("/top-ups/t1/refunds", too_much, 409)["detail"]


def test_a_top_up_that_waits_for_its_customer_is_cancelled_at_the_provider_too(office: Office) -> None:
    asked = {"id": "c1", "subscription": "team/ada", "product": "pro", "customer": "ada", **PAGES}
    begun = office.post("/checkouts", asked)
    office.account.control.post(begun["url"], data={**CARD, "number": "4000000000000341"})
    office.work()
    office.post("/subscriptions/team%2Fada/top-ups", {"id": "t1", "amount": "25"})
    office.work()
    waiting = office.get("/top-ups/t1")
    assert waiting["invoice"]["status"] == "open"
    assert office.account.control.get(waiting["invoice"]["url"]).status_code == 200
    assert office.post("/top-ups/t1/cancel", status=200)["state"] in {"cancelled", "failed"}
    assert office.account.invoices()[0].status == "void"


def test_a_refund_of_a_statement_needs_an_invoice_that_was_paid(office: Office) -> None:
    name = office.check_out()
    office.work()
    (statement,) = office.get(f"/subscriptions/{name}/statements")["statements"]
    office.post(f"/statements/{statement['id']}/refunds", {"id": "r1", "reason": "an outage"})
    office.work()
    (refund,) = office.get(f"/statements/{statement['id']}/refunds")["refunds"]
    assert (refund["amount"], refund["state"]) == ("20.00", "done")
    assert (
        "nothing is left"
        in office.post(f"/statements/{statement['id']}/refunds", {"id": "r2", "reason": "x"}, 409)["detail"]
    )
    office.post("/statements/st_none/refunds", {"id": "r3", "reason": "x"}, 404)


def test_books_are_compared_on_demand(office: Office) -> None:
    office.check_out()
    office.work()
    assert office.post("/reconciliation", status=200) == {"drifts": []}
    office.account.reset()
    (drift,) = office.post("/reconciliation", status=200)["drifts"]
    assert (drift["kind"], drift["accepted_at"]) == ("invoice", None)
    accepted = office.post(f"/reconciliation/{drift['id']}/accept", {"reason": "the account was emptied"}, 200)
    assert accepted["drifts"][0]["reason"] == "the account was emptied"
    office.post("/reconciliation/dr_none/accept", {"reason": "x"}, 404)


def test_an_event_that_could_not_be_applied_is_looked_at_again_by_a_person(office: Office) -> None:
    with office.billing.database.write() as connection:
        receive(connection, SHOP, ProviderEvent("evt_1", "invoice.paid", 1, invoice="in_gone"), office.clock())
        connection.execute(update(inbox).values(state="stuck", problem="odd"))
    (event,) = office.get("/inbox")["events"]
    assert (event["id"], event["about"], event["problem"]) == ("evt_1", "in_gone", "odd")
    office.post("/inbox/evt_1/retry", status=200)
    office.work()
    assert office.get("/inbox")["events"] == []
    office.post("/inbox/evt_1/drop", status=404)


def test_a_provider_that_is_gone_is_said_in_one_sentence(office: Office) -> None:
    name = office.check_out()
    office.work()
    office.account.control.post("/sandbox/keys", json={"revoke": SECRET_KEY}).raise_for_status()
    try:
        answer = office.post(f"/subscriptions/{name}/billing-portal", {"return_url": "http://127.0.0.1:1/"}, 503)
    finally:
        office.account.control.post("/sandbox/keys", json={"restore": SECRET_KEY}).raise_for_status()
    assert "does not accept the API key" in answer["detail"]
    assert "canary" not in answer["detail"]


def test_a_chargeback_can_be_paid_in_another_way(office: Office) -> None:
    name = office.check_out()
    office.work()
    office.post(f"/subscriptions/{name}/top-ups", {"id": "t1", "amount": "25"})
    office.post("/top-ups/t1/payments", {"id": "early"}, 409)
    office.work()
    (charge,) = (one for one in office.account.client.charges.list().data if one.amount == 2500)
    office.account.control.post(f"/dashboard/charges/{charge.id}/dispute")
    office.work()
    assert office.get(f"/subscriptions/{name}/wallet")["settled"] == "0.00"
    paid = office.post("/top-ups/t1/payments", {"id": "bank-1", "reference": "transfer 17"})
    assert (paid["remaining"], paid["paid"]) == ("0.00", "25.00")
    assert office.get(f"/subscriptions/{name}/wallet")["settled"] == "25.00"


def test_a_statement_that_a_bank_took_back_can_be_paid_in_another_way(office: Office) -> None:
    name = office.check_out()
    office.work()
    (statement,) = office.get(f"/subscriptions/{name}/statements")["statements"]
    (charge,) = office.account.client.charges.list().data
    office.account.control.post(f"/dashboard/charges/{charge.id}/dispute")
    office.work()
    path = f"/statements/{statement['id']}"
    assert office.get(path)["payment_status"] != "paid"
    paid = office.post(f"{path}/payments", {"id": "bank-1", "reference": "transfer 17"})
    assert (paid["remaining"], paid["paid"]) == ("0.00", "20.00")


def test_what_a_provider_still_asks_for_is_not_paid_by_hand_though_its_request_was_dropped(office: Office) -> None:
    asked = {"id": "c1", "subscription": "team/ada", "product": "pro", "customer": "ada", **PAGES}
    begun = office.post("/checkouts", asked)
    office.account.control.post(begun["url"], data={**CARD, "number": "4000000000000341"})
    office.work()
    office.post("/subscriptions/team%2Fada/top-ups", {"id": "t1", "amount": "25"})
    office.work()
    (statement,) = office.get("/subscriptions/team%2Fada/statements")["statements"]
    with office.billing.database.write() as connection:
        connection.execute(update(outbox).values(state="dropped"))
    path = f"/statements/{statement['id']}/payments"
    assert "void it there" in office.post(path, {"id": "bank-1"}, 409)["detail"]
    assert "cancel it first" in office.post("/top-ups/t1/paid", status=409)["detail"]
    for invoice in office.account.invoices():
        office.account.client.invoices.void_invoice(invoice.id)
    office.work()
    assert office.post(path, {"id": "bank-1"})["remaining"] == "0.00"


def test_what_a_voided_invoice_carried_can_be_paid_by_hand(office: Office) -> None:
    asked = {"id": "c1", "subscription": "team/ada", "product": "pro", "customer": "ada", **PAGES}
    begun = office.post("/checkouts", asked)
    office.account.control.post(begun["url"], data={**CARD, "number": "4000000000000341"})
    office.work()
    (statement,) = office.get("/subscriptions/team%2Fada/statements")["statements"]
    with office.billing.database.write() as connection:
        row = connection.execute(select(invoices)).mappings().one()
        later = {**row, "subject": "st_later", "status": "void", "reference": "in_voided"}
        connection.execute(insert(invoices).values(later))
        connection.execute(
            update(invoices)
            .where(invoices.c.subject == statement["id"])
            .values(status="carried", reference="", carried_by="st_later")
        )
    paid = office.post(f"/statements/{statement['id']}/payments", {"id": "bank-1"})
    assert paid["remaining"] == "0.00"
