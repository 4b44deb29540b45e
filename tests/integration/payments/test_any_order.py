"""Any permutation, repetition and loss of a run's events ends in the same state, at either provider: checkout,
statement, top-up, refunds, chargebacks and their reversals."""

import hashlib
import hmac
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.payments.account import PADDLE_SECRET, PaddleAccount, StripeAccount
from tests.integration.payments.operations import Scene, require_sound, scene_of
from tests.integration.payments.shops import PaddleShop, StripeShop
from tests.integration.payments.test_contract import balance
from tests.integration.payments.test_webhooks import signed as stripe_signed
from tests.unit.billing.desk import PROVIDER
from tests.unit.billing.test_statements import MONTHS
from tollgate_billing.ledger.database import Database
from tollgate_billing.payments.inbox import receive
from tollgate_billing.payments.paid_in import kept_minor
from tollgate_billing.payments.port import NotAuthenticError
from tollgate_billing.payments.refunds import RefundRefusedError, ask_for_refund

SUBJECTS = ("statement", "top-up")
ACTIONS = ("refund by hand", "refund from here", "take back", "give again", "send", "look")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(ACTIONS), st.sampled_from(SUBJECTS)),
        st.tuples(st.just("deliver"), st.lists(st.tuples(st.integers(0, 60), st.integers(1, 3)), max_size=8)),
    ),
    min_size=3,
    max_size=14,
)


def signed(body: bytes, moment_ms: int, secret: str = PADDLE_SECRET) -> dict[str, str]:
    seconds = moment_ms // 1000
    code = hmac.new(secret.encode(), f"{seconds}:".encode() + body, hashlib.sha256).hexdigest()
    return {"Paddle-Signature": f"ts={seconds};h1={code}"}


class Run:
    """What people and providers do, as far as each invoice allows it."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self._disputed = dict.fromkeys(SUBJECTS, False)
        self._refunded = dict.fromkeys(SUBJECTS, 0)
        scene.shop.check_out(scene.desk.check_out().url)
        scene.desk.follower.tick()
        scene.close()
        scene.desk.pay_in("t1", 2500)
        self._names = {"statement": scene.subject, "top-up": "top-up.t1"}
        scene.desk.send(2)

    def step(self, step: Any) -> None:
        desk = self.scene.desk
        match step:
            case ("deliver", events):
                self._deliver(events)
            case ("send", _):
                desk.now_ms += 60_000
                desk.send()
            case ("look", _):
                desk.follower.tick()
            case (action, subject):
                self._act(action, subject)

    def _act(self, action: str, subject: str) -> None:
        shop, desk, name = self.scene.shop, self.scene.desk, self._names[subject]
        disputed, refunded = self._disputed[subject], self._refunded[subject]
        if action == "take back" and not disputed and refunded < 3:
            shop.take_back(desk, name)
            self._disputed[subject] = True
        elif action == "give again" and disputed:
            shop.give_again(desk, name)
            # It is never disputed again, and the simulated Stripe refunds none that ever was.
            self._disputed[subject], self._refunded[subject] = False, 1 if isinstance(shop, PaddleShop) else 3
        elif action == "refund by hand" and not disputed and refunded < 3:
            shop.give_back(desk, name, 300)
            self._refunded[subject] += 1
        elif action == "refund from here" and not disputed and refunded < 3:
            self._refund(name, refunded)
            self._refunded[subject] += 1

    def _refund(self, name: str, number: int) -> None:
        desk = self.scene.desk
        with desk.database.write() as connection:
            receivable = desk.receivable_of(name)
            assert receivable
            try:
                ask_for_refund(connection, receivable, f"{name}.{number}", 200, "an outage", desk.now_ms)
            except RefundRefusedError:
                return  # it is not known yet that the bank has given it again
        desk.send()

    def _deliver(self, chosen: list[tuple[int, int]]) -> None:
        shop, desk = self.scene.shop, self.scene.desk
        bodies = _bodies(shop)
        sign = signed if isinstance(shop, PaddleShop) else stripe_signed
        for number, times in chosen:
            body = bodies[number % len(bodies)]
            for _ in range(times):
                event = shop.port.read_event(body, sign(body, desk.now_ms), desk.now_ms)
                with desk.database.write() as connection:
                    receive(connection, PROVIDER, event, desk.now_ms)


def _bodies(shop: StripeShop | PaddleShop) -> list[bytes]:
    """All events so far."""
    if isinstance(shop, PaddleShop):
        return [json.dumps(event).encode() for event in shop.account.raw("/events?per_page=200")]
    found = shop.account.client.events.list({"limit": 100}).auto_paging_iter()
    return [json.dumps(event.to_dict(), default=str).encode() for event in found]


@pytest.mark.parametrize("kind", ["stripe", "paddle"])
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_any_order_repetition_and_loss_of_events_ends_where_the_provider_is(
    steps: list[Any], kind: str, shared_account: StripeAccount, shared_paddle: PaddleAccount, migrated_sqlite: Path
) -> None:
    shared_account.reset()
    shared_paddle.reset()
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(migrated_sqlite, Path(folder) / "ledger.db")
        database = Database(f"sqlite:///{folder}/ledger.db")
        shop = StripeShop(shared_account) if kind == "stripe" else PaddleShop(shared_paddle)
        run = Run(scene_of(shop, database))
        for step in steps:
            run.step(step)
        run.scene.rest()
        _require_the_same(run.scene)
        database.close()


def _require_the_same(scene: Scene) -> None:
    desk, shop = scene.desk, scene.shop
    require_sound(scene)
    for subject in (scene.subject, "top-up.t1"):
        ours = desk.receivable_of(subject)
        assert ours
        theirs = shop.port.read_invoice(ours.reference)
        assert theirs
        for name in ("status", "paid_minor", "refunded_minor", "credited_minor", "disputed"):
            assert getattr(ours, name) == getattr(theirs, name), name
    assert balance(desk, f"cash:{PROVIDER}") == shop.collected(desk)
    with desk.database.read() as connection:
        assert desk.credit() == max(0, kept_minor(connection, "t1"))


NOW = MONTHS[0]
BODY = json.dumps(
    {
        "event_id": "evt_1",
        "event_type": "transaction.completed",
        "occurred_at": "2026-11-01T00:00:00.000000Z",
        "notification_id": "ntf_1",
        "data": {"id": "txn_1", "status": "completed"},
    }
).encode()


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        (BODY, {}, "of no time at all"),
        (BODY, {"Paddle-Signature": "ts=x;h1=00"}, "none of the webhook's secrets"),
        (BODY, {"Paddle-Signature": f"ts={NOW // 1000};h1=00"}, "none of the webhook's secrets"),
        (BODY, {"Paddle-Signature": f"ts={NOW // 1000}"}, "none of the webhook's secrets"),
        (BODY, signed(BODY, NOW, "pdl_ntfset_another"), "none of the webhook's secrets"),
        (BODY, stripe_signed(BODY, NOW, PADDLE_SECRET), "of no time at all"),
        (BODY + b" ", signed(BODY, NOW), "none of the webhook's secrets"),
        (BODY, signed(BODY, NOW - 301_000), "older than five minutes"),
        (BODY, signed(BODY, NOW + 301_000), "older than five minutes"),
        (BODY[:-5], signed(BODY[:-5], NOW), "no event of Paddle"),
        (b"[]", signed(b"[]", NOW), "no event of Paddle"),
        (b"{}", signed(b"{}", NOW), "no event of Paddle"),
        (b'{"event_type": "a", "data": []}', signed(b'{"event_type": "a", "data": []}', NOW), "no event of Paddle"),
        (b"\xff", signed(b"\xff", NOW), "none of the webhook's secrets"),
    ],
)
@pytest.mark.parametrize("test_mode", ["", "1"])
def test_what_is_not_authentic_is_refused_also_where_the_sdk_would_not_look(
    body: bytes,
    headers: dict[str, str],
    expected: str,
    test_mode: str,
    shared_paddle: PaddleAccount,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The SDK forgives an old signature where TEST_MODE is set."""
    monkeypatch.setenv("TEST_MODE", test_mode)
    with pytest.raises(NotAuthenticError, match=expected):
        shared_paddle.port.read_event(body, headers, NOW)


def test_an_authentic_event_says_only_where_to_look(shared_paddle: PaddleAccount) -> None:
    event = shared_paddle.port.read_event(BODY, signed(BODY, NOW), NOW)
    assert (event.id, event.kind, event.invoice, event.checkout) == ("evt_1", "transaction.completed", "txn_1", "")
