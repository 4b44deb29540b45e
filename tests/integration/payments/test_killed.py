"""Killed at any point between a closing and the money, by one worker or two: the same end."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Any

import pytest

from tests.integration.payments.shops import PaddleShop, StripeShop, provider_of
from tests.unit.billing.builders import apply_catalog, make_fee
from tests.unit.billing.desk import PROVIDER, Desk, collected_catalog
from tests.unit.billing.test_statements import MONTHS, START
from tollgate_billing.ledger.database import Database
from tollgate_billing.ledger.verification import verify

POINTS = (
    "before-close",
    "in-close",
    "before-commit-close",
    "after-commit-close",
    "before-attempt",
    "after-attempt",
    "before-send",
    "after-send",
    "before-commit-sent",
    "after-commit-sent",
    "before-apply",
    "before-commit-applied",
    "after-commit-applied",
)
LEASE_MS = 700_000
AROUND_THE_CHARGE = {"after-attempt", "before-send", "after-send", "before-commit-sent"}
CREWS = [(1, "sqlite"), (2, "postgresql"), (2, "sqlite"), (1, "postgresql")]


class KilledError(BaseException):
    """The process ends here."""


class Worker:
    """A process that is killed at the n-th time that it comes to a point, and started again."""

    def __init__(self, desk: Desk, point: str, times: int) -> None:
        self._point = point
        self._left = times
        self.was_killed = False
        self._desk = Desk(desk.database, desk.providers, desk.catalog, desk.now_ms, self._checkpoint)

    def _checkpoint(self, name: str) -> None:
        if name == self._point and self._left:
            self._left -= 1
            self.was_killed = True
            raise KilledError

    def work(self, now_ms: int) -> None:
        """Until nothing kills it any more."""
        for round_ in range(5):
            try:
                self._desk.close(now_ms)
                self._desk.now_ms = now_ms + round_ * LEASE_MS
                self._desk.sender.tick()
                self._desk.follower.tick()
            except KilledError:
                continue


def totals_of(shop: StripeShop | PaddleShop) -> list[int]:
    """Of all invoices at the provider that were not withdrawn."""
    if isinstance(shop, StripeShop):
        return [invoice.total for invoice in shop.account.invoices()]
    found = shop.account.raw("/transactions?per_page=200&origin=subscription_charge,api&status=completed,past_due")
    totals = [int(one["details"]["totals"]["total"]) for one in found]
    return [total for total in totals if total]  # a checkout is about nothing


def state_of(desk: Desk) -> list[tuple[int, str, int, str]]:
    """What is the same however often somebody was killed."""
    with desk.database.read() as connection:
        assert verify(connection) == []
    return [
        (statement.due_minor, found.status, desk.paid(statement), statement.hash)
        for statement in desk.statements()
        if (found := desk.receivable(statement))
    ]


def _cases() -> Iterator[Any]:
    """All points with each provider; the short form has them all with Stripe by two workers on PostgreSQL, and those
    around the charge with both by one on SQLite."""
    for kind, point, (workers, dialect) in product(("stripe", "paddle"), POINTS, CREWS):
        short = (workers, dialect) == (1, "sqlite") and point in AROUND_THE_CHARGE
        short = short or (kind, workers, dialect) == ("stripe", 2, "postgresql")
        yield pytest.param(kind, point, workers, dialect, marks=() if short else pytest.mark.slow)


@pytest.mark.parametrize(("kind", "point", "workers", "database"), list(_cases()), indirect=["database"])
def test_killed_anywhere_the_money_comes_in_once(
    kind: str, point: str, workers: int, database: Database, request: pytest.FixtureRequest
) -> None:
    shop: StripeShop | PaddleShop
    shop = (
        StripeShop(request.getfixturevalue("account"))
        if kind == "stripe"
        else PaddleShop(request.getfixturevalue("paddle"))
    )
    prices = make_fee(in_arrears=True), make_fee(name="more", amount="1.50")
    catalog = collected_catalog(*prices, provider=provider_of(shop.kind))
    apply_catalog(database, catalog, START)
    desk = Desk(database, {PROVIDER: shop.port}, catalog)
    shop.check_out(desk.check_out().url)
    desk.follower.tick()
    made = [Worker(desk, point, times) for times in range(1, workers + 1)]
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(lambda worker: worker.work(MONTHS[1]), made))
    assert any(worker.was_killed for worker in made)
    desk.now_ms = MONTHS[1] + 10 * LEASE_MS
    desk.send(3)
    desk.follower.tick()
    found = state_of(desk)
    assert [(due, status, paid) for due, status, paid, _ in found] == [
        (150, "paid", 150),
        (5050, "paid", 5050),
        (5050, "paid", 5050),
    ]
    assert sorted(totals_of(shop)) == [150, 5050, 5050]
    assert shop.collected(desk) == 10_250
    assert desk.requests("stuck") == desk.requests("pending") == []
