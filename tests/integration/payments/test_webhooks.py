"""Whatever becomes of a provider's events on their way, billing ends where the provider is."""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
import stripe
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.payments.account import WEBHOOK_SECRET, StripeAccount
from tests.unit.billing.desk import PROVIDER, Desk, desk_with_a_fee
from tests.unit.billing.test_statements import MONTHS
from tollgate_billing.ledger.database import Database
from tollgate_billing.payments.inbox import receive
from tollgate_billing.payments.port import NotAuthenticError
from tollgate_billing.payments.received import paid_by

ACTIONS = ("pay", "refund a part", "refund the rest", "void", "mark uncollectible", "pay out of band")
STEPS = st.lists(
    st.one_of(
        st.sampled_from(ACTIONS),
        st.tuples(st.just("deliver"), st.integers(0, 30), st.integers(1, 3)),
        st.just("look"),
    ),
    min_size=1,
    max_size=12,
)


def signed(body: bytes, moment_ms: int, secret: str = WEBHOOK_SECRET) -> dict[str, str]:
    header: Any = stripe.WebhookSignature.generate_signature_header(body.decode(), secret, timestamp=moment_ms // 1000)
    return {"Stripe-Signature": str(header)}


class Owner:
    """Does by hand what can be done in Stripe's dashboard, as far as its invoice allows it."""

    def __init__(self, account: StripeAccount, desk: Desk) -> None:
        self._account = account
        self._desk = desk

    def act(self, action: str) -> None:
        (invoice,) = self._account.invoices()
        client = self._account.client
        try:
            match action:
                case "pay":
                    customer = invoice.customer if isinstance(invoice.customer, str) else ""
                    method = client.payment_methods.attach("pm_card_visa", {"customer": customer})
                    client.invoices.pay(invoice.id, {"payment_method": method.id})
                case "void":
                    client.invoices.void_invoice(invoice.id)
                case "mark uncollectible":
                    client.invoices.mark_uncollectible(invoice.id)
                case "pay out of band":
                    client.invoices.pay(invoice.id, {"paid_out_of_band": True})
                case _:
                    self._refund(900 if action == "refund a part" else None)
        except stripe.InvalidRequestError:
            return  # not in this state

    def _refund(self, amount: int | None) -> None:
        for charge in self._account.client.charges.list().data:
            if charge.paid and not charge.refunded:
                self._account.client.refunds.create({"charge": charge.id, **({"amount": amount} if amount else {})})

    def deliver(self, number: int, times: int) -> None:
        """One of all events so far, as often as that."""
        events = list(self._account.client.events.list({"limit": 100}).auto_paging_iter())
        body = json.dumps(events[number % len(events)].to_dict(), default=str).encode()
        port = self._account.port
        for _ in range(times):
            event = port.read_event(body, signed(body, self._desk.now_ms), self._desk.now_ms)
            with self._desk.database.write() as connection:
                receive(connection, PROVIDER, event, self._desk.now_ms)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_any_order_repetition_and_loss_of_events_ends_in_the_same_state(
    steps: list[Any], shared_account: StripeAccount, migrated_sqlite: Path
) -> None:
    shared_account.reset()
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(migrated_sqlite, Path(folder) / "ledger.db")
        database = Database(f"sqlite:///{folder}/ledger.db")
        desk = desk_with_a_fee(database, {PROVIDER: shared_account.port})
        desk.send()
        owner = Owner(shared_account, desk)
        for step in steps:
            if step == "look":
                desk.follower.tick()
            elif isinstance(step, str):
                owner.act(step)
            else:
                owner.deliver(*step[1:])
        desk.now_ms += 700_000  # the next look of its own
        desk.follower.tick()
        desk.follower.tick()
        _require_the_same(desk, shared_account)
        database.close()


def _require_the_same(desk: Desk, account: StripeAccount) -> None:
    (statement,), (invoice,) = desk.statements(), account.invoices()
    receivable = desk.receivable(statement)
    assert receivable
    assert receivable.status == invoice.status
    refunded = sum(charge.amount_refunded for charge in account.client.charges.list().data)
    paid = invoice.total if invoice.status == "paid" else invoice.amount_paid
    assert desk.paid(statement) == paid
    with desk.database.read() as connection:
        assert -sum(paid_by(connection, statement.id, PROVIDER, "refund")) == refunded


def test_an_event_moves_the_ledger_at_the_next_look(account: StripeAccount, sqlite: Database) -> None:
    desk = desk_with_a_fee(sqlite, {PROVIDER: account.port})
    desk.send()
    desk.follower.tick()
    owner = Owner(account, desk)
    owner.act("pay")
    owner.deliver(0, 2)
    assert desk.follower.tick() == 1
    assert desk.paid(desk.statements()[0]) == 4900


BODY = json.dumps(
    {"id": "evt_1", "type": "invoice.paid", "created": 1, "data": {"object": {"object": "invoice", "id": "in_1"}}}
).encode()
NOW = MONTHS[0]


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        (BODY, {}, "of no time at all"),
        (BODY, {"Stripe-Signature": "t=x,v1=00"}, "of no time at all"),
        (BODY, signed(BODY, NOW, "whsec_another"), "none of the webhook's secrets"),
        (BODY + b" ", signed(BODY, NOW), "none of the webhook's secrets"),
        (BODY, signed(BODY, NOW - 301_000), "older than five minutes"),
        (BODY, signed(BODY, NOW + 301_000), "older than five minutes"),
        (BODY[:-5], signed(BODY[:-5], NOW), "no event of Stripe"),
        (b"[]", signed(b"[]", NOW), "no event of Stripe"),
        (b"{}", signed(b"{}", NOW), "no event of Stripe"),
        (b"\xff", {"Stripe-Signature": f"t={NOW // 1000},v1=00"}, "none of the webhook's secrets"),
    ],
)
def test_what_is_not_authentic_is_refused(
    body: bytes, headers: dict[str, str], expected: str, shared_account: StripeAccount
) -> None:
    with pytest.raises(NotAuthenticError, match=expected):
        shared_account.port.read_event(body, headers, NOW)


def test_an_event_says_only_where_to_look(shared_account: StripeAccount) -> None:
    event = shared_account.port.read_event(BODY, signed(BODY, NOW), NOW)
    assert (event.id, event.kind, event.invoice) == ("evt_1", "invoice.paid", "in_1")
