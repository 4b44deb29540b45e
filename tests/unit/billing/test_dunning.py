"""Access follows what is owed: by time, by payments, by what a provider gives up or a bank takes back."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from tests.unit.billing.builders import SUBSCRIPTION
from tests.unit.billing.desk import PROVIDER, Desk, desk_with_a_fee
from tests.unit.billing.test_statements import DAY, MONTHS
from tollgate_billing.hydration.subscriptions import SubscriptionPusher, gate_state
from tollgate_billing.ledger.database import Database
from tollgate_billing.ledger.subscriptions import change_subscription, existing_subscription
from tollgate_billing.ledger.tables import money_postings
from tollgate_billing.notifications.store import list_notifications
from tollgate_billing.payments.access import GOOD, Level, Unpaid, access
from tollgate_billing.payments.applying import apply_invoice
from tollgate_billing.payments.dunning import Dunning, access_of
from tollgate_billing.payments.port import ProviderInvoice
from tollgate_billing.payments.providers.manual import ManualPort
from tollgate_billing.statements.store import StoredStatement
from tollgate_billing.subscriptions.changes import reactivate
from tollgate_core import catalog as c

POLICY = c.Dunning(grace_days=7, throttle_days=3, requests_per_minute=6)
ORDER: list[Level] = ["active", "grace", "throttled", "suspended", "cancelled"]


@pytest.mark.parametrize(
    ("days", "level", "next_days"),
    [(-1, "active", 0), (0, "grace", 7), (6.9, "grace", 7), (7, "throttled", 10), (9.9, "throttled", 10)],
)
def test_it_becomes_worse_by_the_policy(days: float, level: Level, next_days: int) -> None:
    due = 100 * DAY
    found = access([Unpaid("st", due)], POLICY, due + int(days * DAY))
    assert (found.level, found.next_ms) == (level, due + next_days * DAY)
    assert access([Unpaid("st", due)], POLICY, due + 10 * DAY).level == "suspended"


def test_what_is_hopeless_suspends_at_once() -> None:
    assert access([Unpaid("a", 5), Unpaid("b", 9, hopeless=True)], POLICY, 10).statement == "b"
    assert access([Unpaid("b", 9, hopeless=True)], None, 10) == GOOD


@given(
    dues=st.lists(st.integers(0, 40), min_size=1, max_size=4),
    grace=st.integers(0, 9),
    throttle=st.integers(0, 9),
    cancel=st.integers(-1, 9),
    days=st.integers(0, 60),
)
def test_time_never_makes_it_better_and_is_said_beforehand(
    dues: list[int], grace: int, throttle: int, cancel: int, days: int
) -> None:
    policy = c.Dunning(grace_days=grace, throttle_days=throttle, requests_per_minute=1, cancel_days=cancel)
    unpaid = [Unpaid(f"st{number}", due * DAY) for number, due in enumerate(dues)]
    now, later = (access(unpaid, policy, day * DAY) for day in (days, days + 1))
    assert ORDER.index(now.level) <= ORDER.index(later.level)
    if now.next_ms is None:
        assert now.level == ("suspended" if cancel < 0 else "cancelled")
    else:
        assert access(unpaid, policy, now.next_ms - 1).level == now.level
        assert access(unpaid, policy, now.next_ms).level != now.level


def invoice_of(statement: StoredStatement, **changes: Any) -> ProviderInvoice:
    """Open, but for the changes."""
    found = ProviderInvoice(
        reference=f"manual.{statement.id}",
        subject=statement.id,
        customer="",
        status="open",
        currency="USD",
        total_minor=4900,
        tax_minor=0,
        paid_minor=0,
    )
    return replace(found, **changes)


class Unlinked:
    """Nobody is told."""


class Choosy(ManualPort):
    """Collects two months at once."""

    def least_minor(self, currency: str) -> int:
        del currency
        return 5000


class Court:
    """A statement that is open at a provider, and who judges by it."""

    def __init__(self, database: Database, port: ManualPort | None = None) -> None:
        self.desk: Desk = desk_with_a_fee(database, {PROVIDER: port or ManualPort()}, dunning=POLICY)
        self.dunning = Dunning(database, lambda: self.desk.catalog, self.desk.clock, self.desk.health)
        self.desk.send()
        (self.statement,) = self.desk.statements()
        self.began = self.desk.now_ms
        self.dunning.tick()

    def pass_days(self, days: float) -> Level:
        self.desk.now_ms = self.began + int(days * DAY)
        self.dunning.tick()
        return self.level()

    def level(self) -> Level:
        with self.desk.database.read() as connection:
            return access_of(connection, existing_subscription(connection, SUBSCRIPTION)).level

    def hear(self, **changes: Any) -> Level:
        """From the provider."""
        found = invoice_of(self.statement, **changes)
        with self.desk.database.write() as connection:
            apply_invoice(connection, PROVIDER, found, self.desk.now_ms, self.dunning.judge)
        return self.level()

    def balances(self) -> dict[str, int]:
        """Of the money ledger, by the account's kind."""
        p = money_postings.c
        query = select(p.account, func.sum(p.minor)).where(p.account.notlike("revenue%")).group_by(p.account)
        with self.desk.database.read() as connection:
            return {account.partition(":")[0]: int(minor) for account, minor in connection.execute(query)}

    def told(self) -> list[str]:
        with self.desk.database.read() as connection:
            return [told.kind for told in list_notifications(connection, SUBSCRIPTION)]

    def revision(self) -> int:
        with self.desk.database.read() as connection:
            return existing_subscription(connection, SUBSCRIPTION).revision


def test_an_unpaid_statement_throttles_and_suspends_and_a_payment_restores(database: Database) -> None:
    court = Court(database)
    assert [court.pass_days(days) for days in (0, 6, 7, 9, 10, 30)] == [
        "grace",
        "grace",
        "throttled",
        "throttled",
        "suspended",
        "suspended",
    ]
    before = court.revision()
    assert court.hear(status="paid", paid_minor=4900) == "active"
    assert court.revision() > before, "the gate hears of it"
    assert court.told() == ["access.grace", "access.throttled", "access.suspended", "access.restored"]
    assert court.pass_days(60) == "active"


def test_a_part_is_not_enough(database: Database) -> None:
    court = Court(database)
    court.pass_days(8)
    assert court.hear(paid_minor=4800) == "throttled"
    assert court.hear(status="paid", paid_minor=4900) == "active"


def test_a_dispute_suspends_until_it_is_won_and_a_refund_changes_nothing(database: Database) -> None:
    court = Court(database)
    assert court.hear(status="paid", paid_minor=4900) == "active"
    assert court.hear(status="paid", paid_minor=0, disputed=True) == "suspended"
    assert court.hear(status="paid", paid_minor=4900) == "active"
    assert court.hear(status="paid", paid_minor=4900, refunded_minor=4900) == "active"


def test_what_was_refunded_before_a_bank_took_all_of_it_back_is_lost_twice(database: Database) -> None:
    court = Court(database)
    court.hear(status="paid", paid_minor=4900, refunded_minor=900)
    assert court.hear(status="paid", paid_minor=0, refunded_minor=900, disputed=True) == "suspended"
    assert court.balances() == {"cash": -900, "refunded": 900, "receivable": 4900}
    assert court.hear(status="paid", paid_minor=4900, refunded_minor=900) == "active"
    assert court.balances() == {"cash": 4000, "refunded": 900, "receivable": 0}


def test_both_at_once_are_recorded_too(database: Database) -> None:
    court = Court(database)
    assert court.hear(status="paid", paid_minor=0, refunded_minor=900, disputed=True) == "suspended"
    assert court.balances() == {"cash": -900, "refunded": 900, "receivable": 4900}


def test_a_dispute_of_what_an_invoice_has_carried_suspends(database: Database) -> None:
    court = Court(database, Choosy())
    (_, court.statement) = court.desk.close(MONTHS[1])
    court.desk.send()
    assert court.hear(status="paid", total_minor=9800, paid_minor=9800) == "active"
    assert court.hear(status="paid", total_minor=9800, paid_minor=9750, disputed=True) == "suspended"
    assert court.hear(status="paid", total_minor=9800, paid_minor=9800) == "active"


def test_what_was_given_up_suspends_and_what_was_voided_is_forgiven(database: Database) -> None:
    court = Court(database)
    assert court.hear(status="uncollectible") == "suspended"
    assert court.hear(status="void") == "active"


def test_another_policy_is_applied_at_once(database: Database) -> None:
    court = Court(database)
    assert court.pass_days(8) == "throttled"
    catalog = court.desk.catalog
    lenient = c.Dunning(grace_days=30, throttle_days=0, requests_per_minute=1)
    changed = tuple(msgspec.structs.replace(product, dunning=lenient) for product in catalog.products)
    court.desk.catalog = msgspec.structs.replace(catalog, products=changed)
    assert court.pass_days(9) == "grace"


def test_who_does_not_pay_for_long_is_cancelled_and_has_to_be_asked_back(database: Database) -> None:
    policy = replace_policy(cancel_days=5)
    desk = desk_with_a_fee(database, {PROVIDER: ManualPort()}, dunning=policy)
    with database.write() as connection:
        row = existing_subscription(connection, SUBSCRIPTION)
        change_subscription(connection, row, {"origin": "api"})
    desk.send()
    began = desk.now_ms
    for days, level in ((10, "suspended"), (14.9, "suspended"), (15.1, "cancelled")):
        desk.now_ms = began + int(days * DAY)
        desk.dunning.tick()
        assert desk.level() == level
    with database.read() as connection:
        assert existing_subscription(connection, SUBSCRIPTION).state == "cancelled"
        assert [told.kind for told in list_notifications(connection, SUBSCRIPTION)][-1] == "access.cancelled"


def test_who_is_asked_back_before_he_has_paid_is_let_in_when_he_has(database: Database) -> None:
    desk = desk_with_a_fee(database, {PROVIDER: ManualPort()}, dunning=replace_policy(cancel_days=5))
    with database.write() as connection:
        change_subscription(connection, existing_subscription(connection, SUBSCRIPTION), {"origin": "api"})
    desk.send()
    (statement,) = desk.statements()
    desk.now_ms += 20 * DAY
    desk.dunning.tick()
    pusher = SubscriptionPusher(database, Unlinked(), desk.clock, lambda: desk.catalog)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    with database.write() as connection:
        reactivate(connection, desk.catalog, existing_subscription(connection, SUBSCRIPTION), desk.now_ms)
    desk.dunning.tick()
    assert [gate_state(image) for image in pusher.load([SUBSCRIPTION]).images] == ["unpaid"]
    paid = invoice_of(statement, status="paid", paid_minor=4900)
    with database.write() as connection:
        apply_invoice(connection, PROVIDER, paid, desk.now_ms, desk.dunning.judge)
    assert [gate_state(image) for image in pusher.load([SUBSCRIPTION]).images] == ["active"]


def test_a_bank_that_takes_an_old_payment_back_leaves_time_to_pay_again(database: Database) -> None:
    desk = desk_with_a_fee(database, {PROVIDER: ManualPort()}, dunning=replace_policy(cancel_days=5))
    with database.write() as connection:
        change_subscription(connection, existing_subscription(connection, SUBSCRIPTION), {"origin": "api"})
    desk.send()
    (statement,) = desk.statements()
    paid = invoice_of(statement, status="paid", paid_minor=4900)
    for day, found in ((1, paid), (90, replace(paid, paid_minor=0, disputed=True))):
        desk.now_ms = MONTHS[0] + day * DAY
        with database.write() as connection:
            apply_invoice(connection, PROVIDER, found, desk.now_ms, desk.dunning.judge)
    for days, level in ((90, "suspended"), (94.9, "suspended"), (95.1, "cancelled")):
        desk.now_ms = MONTHS[0] + int(days * DAY)
        desk.dunning.tick()
        assert desk.level() == level


def test_what_a_manifest_declares_stays_suspended(database: Database) -> None:
    desk = desk_with_a_fee(database, {PROVIDER: ManualPort()}, dunning=replace_policy(cancel_days=5))
    desk.send()
    desk.now_ms += 30 * DAY
    desk.dunning.tick()
    assert desk.level() == "suspended"


def test_another_rate_of_a_policy_reaches_the_throttled(database: Database) -> None:
    desk = desk_with_a_fee(database, {PROVIDER: ManualPort()}, dunning=POLICY)
    desk.send()
    desk.now_ms += 8 * DAY
    desk.dunning.tick()
    with database.read() as connection:
        before = existing_subscription(connection, SUBSCRIPTION).revision
    products = tuple(
        msgspec.structs.replace(product, dunning=replace_policy(requests_per_minute=60))
        for product in desk.catalog.products
    )
    desk.catalog = msgspec.structs.replace(desk.catalog, products=products)
    desk.dunning.tick()
    with database.read() as connection:
        assert existing_subscription(connection, SUBSCRIPTION).revision > before


def replace_policy(**changes: int) -> c.Dunning:
    return msgspec.structs.replace(POLICY, **changes)
