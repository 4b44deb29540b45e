"""Automatic top-ups: when one is made, and what holds it back; notifications are told once."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.billing.builders import SUBSCRIPTION, apply_catalog, make_price
from tests.unit.billing.test_statements import DAY, START, catalog_of, use
from tests.unit.billing.test_wallets import give, grant
from tollgate_billing.health import Health
from tollgate_billing.ledger.database import Database
from tollgate_billing.ledger.limits import put_own_limit
from tollgate_billing.ledger.subscriptions import bump_revision, existing_subscription
from tollgate_billing.notifications.levels import credit_level, reached
from tollgate_billing.notifications.store import Notification, list_notifications
from tollgate_billing.notifications.watching import Watcher
from tollgate_billing.wallets.grants import grants_of
from tollgate_billing.wallets.top_ups import (
    TopUpRefusedError,
    ask_for_automatic,
    automatic_of,
    find_top_up,
    list_top_ups,
    settle_top_up,
)
from tollgate_billing.wallets.topping_up import Allowed, Automatic, State, TopUp, top_up_now
from tollgate_core.catalog import Catalog, MetricLimit, TopUps

WANTED = Automatic(SUBSCRIPTION, below_minor=500, amount_minor=2000, month_minor=5000, state="active", since_ms=START)
ALLOWED = Allowed(least_minor=100, most_minor=10_000, per_day=2, month_minor=100_000)
BOUNDS = TopUps(least="1", most="100", automatic_per_day=2, automatic_per_month="1000")


def top_up(name: str, **fields: Any) -> TopUp:
    values: dict[str, Any] = {
        "subscription": SUBSCRIPTION,
        "customer": "acme",
        "minor": 2000,
        "currency": "USD",
        "reason": "automatic",
        "state": "paid",
        "note": "",
        "created_ms": START,
        "settled_ms": None,
    }
    return TopUp(id=name, **{**values, **fields})


@pytest.mark.parametrize(
    ("wanted", "allowed", "earlier", "available", "expected"),
    [
        ({}, {}, [], 500, False),
        ({}, {}, [], 499, True),
        ({}, {}, [top_up("a", state="pending")], 0, "pending"),
        ({}, {}, [top_up("a", state="pending", reason="customer")], 0, "pending"),
        ({}, {}, [top_up("a", state="failed")], 0, True),
        ({"state": "stopped"}, {}, [], 0, "stopped"),
        ({"month_minor": 9000}, {}, [top_up("a"), top_up("b")], 0, "per_day"),
        ({}, {}, [top_up("a"), top_up("b", created_ms=START - 2 * DAY)], 0, "per_month"),
        ({}, {}, [top_up("a"), top_up("b", created_ms=START - 30 * DAY)], 0, True),
        ({}, {}, [top_up("a", reason="customer", minor=9000)], 0, True),
        ({}, {"month_minor": 1999}, [], 0, "per_month"),
        ({}, {"most_minor": 1999}, [], 0, "not_allowed"),
        ({}, {"per_day": 0}, [], 0, "per_day"),
    ],
)
def test_guards(
    wanted: dict[str, Any], allowed: dict[str, Any], earlier: list[TopUp], available: int, expected: object
) -> None:
    asked, bounds = Automatic(**{**vars(WANTED), **wanted}), Allowed(**{**vars(ALLOWED), **allowed})
    assert top_up_now(asked, bounds, earlier, available, START + DAY // 2) == expected


def test_a_product_that_is_prepaid_no_more_tops_nothing_up() -> None:
    assert top_up_now(WANTED, None, [], 0, START) == "not_allowed"


@given(st.integers(-100, 100), st.none() | st.integers(0, 100), st.integers(0, 100))
def test_levels_fall_with_the_credit(available: int, low: int | None, overdraft: int) -> None:
    order = ["exhausted", "low", "enough"]
    ranks = [order.index(credit_level(credit, low, overdraft)) for credit in (available, available + 1)]
    assert ranks == sorted(ranks)


def test_a_limit_is_reached_at_whole_percents() -> None:
    assert reached(79, 100, [80, 100, 50]) == [50]
    assert reached(250, 100, [80, 100, 200]) == [80, 100, 200]


def prepaid(**product: Any) -> Catalog:
    price = make_price(per="1", included="0", amount="1")
    return catalog_of(price, overdraft="0", low_balance="5", top_ups=BOUNDS, **product)


class Watch:
    """A watcher on a clock of its own."""

    def __init__(self, database: Database, catalog: Catalog) -> None:
        apply_catalog(database, catalog, START)
        self.database, self.now = database, START
        self._watcher = Watcher(database, lambda: catalog, lambda: self.now, Health())
        self.look()

    def look(self) -> list[tuple[str, Any]]:
        self.now += 1000
        assert self._watcher.tick() == set()
        assert self._watcher.tick() == set()
        return [(told.kind, json.loads(told.body)) for told in self.told()]

    def told(self) -> list[Notification]:
        with self.database.read() as connection:
            return list_notifications(connection, SUBSCRIPTION)

    def use(self, name: str, quantity: str) -> None:
        self.now += 1000
        use(self.database, name, self.now, quantity, recorded_ms=self.now)

    def settle(self, name: str, state: State) -> None:
        with self.database.write() as connection:
            row, found = existing_subscription(connection, SUBSCRIPTION), find_top_up(connection, name)
            assert found
            settle_top_up(connection, row, found, state, "", self.now)

    def top_ups(self) -> list[TopUp]:
        with self.database.read() as connection:
            return list_top_ups(connection, SUBSCRIPTION)


def test_credit_that_runs_low_and_out_is_told_once_each(database: Database) -> None:
    watch = Watch(database, prepaid())
    give(database, grant("g", 1000))
    assert [kind for kind, _ in watch.look()] == ["credit.restored"]
    watch.use("a", "6")
    assert watch.look()[1:] == [("credit.low", {"available": "4.00", "currency": "USD"})]
    watch.use("b", "1")
    assert len(watch.look()) == 2
    watch.use("c", "4")
    assert [kind for kind, _ in watch.look()][2:] == ["credit.exhausted"]
    give(database, grant("h", 1000))
    assert [kind for kind, _ in watch.look()][3:] == ["credit.restored"]


def test_limits_tell_once_a_period(database: Database) -> None:
    limit = MetricLimit(metric="tokens", limit=10, interval="day", notify_at=(50, 100), soft=True)
    watch = Watch(database, catalog_of(make_price(), limits=(limit,)))
    watch.use("a", "5")
    (told,) = watch.look()
    assert (told[0], told[1]["percent"], told[1]["used"], told[1]["enforcement"]) == ("limit.reached", 50, "5", "soft")
    watch.use("b", "7")
    assert [body["percent"] for _, body in watch.look()] == [50, 100]
    watch.now += DAY
    watch.use("c", "6")
    assert [body["percent"] for _, body in watch.look()] == [50, 100, 50]


def test_a_limit_of_its_own_is_what_fills(database: Database) -> None:
    limit = MetricLimit(metric="tokens", limit=10, interval="day", notify_at=(100,), least=5, most=20)
    watch = Watch(database, catalog_of(make_price(), limits=(limit,)))
    with database.write() as connection:
        put_own_limit(connection, existing_subscription(connection, SUBSCRIPTION), limit, "20", START)
    watch.use("a", "19")
    assert watch.look() == []
    watch.use("b", "1")
    assert [(body["limit"], body["used"]) for _, body in watch.look()] == [("20", "20")]


def test_credit_is_topped_up_until_a_payment_fails(database: Database) -> None:
    watch = Watch(database, prepaid())
    with database.write() as connection:
        ask_for_automatic(connection, SUBSCRIPTION, WANTED)
        bump_revision(connection, SUBSCRIPTION)
    watch.look()
    watch.look()
    (first,) = watch.top_ups()
    assert (first.state, first.minor, first.reason) == ("pending", 2000, "automatic")
    watch.settle(first.id, "paid")
    with database.read() as connection:
        assert [(g.id, g.minor) for g in grants_of(connection, SUBSCRIPTION)] == [(f"top-up.{first.id}", 2000)]
    watch.use("a", "18")
    watch.look()
    _, second = watch.top_ups()
    watch.settle(second.id, "failed")
    watch.use("b", "1")
    assert watch.look()[-1] == ("top_up.withheld", {"amount": "20.00", "currency": "USD", "reason": "stopped"})
    assert len(watch.top_ups()) == 2
    with database.read() as connection:
        automatic = automatic_of(connection, SUBSCRIPTION)
    assert automatic
    assert automatic.state == "stopped"


def test_a_top_up_is_paid_once_and_never_taken_back_by_a_late_failure(database: Database) -> None:
    watch = Watch(database, prepaid())
    with database.write() as connection:
        ask_for_automatic(connection, SUBSCRIPTION, WANTED)
        bump_revision(connection, SUBSCRIPTION)
    watch.look()
    (made,) = watch.top_ups()
    watch.settle(made.id, "failed")
    watch.settle(made.id, "paid")  # the provider found the money after all
    watch.settle(made.id, "paid")
    with pytest.raises(TopUpRefusedError, match="is paid"):
        watch.settle(made.id, "failed")
    with database.read() as connection:
        assert sum(g.minor for g in grants_of(connection, SUBSCRIPTION)) == 2000
