"""Killed at any point between a closing and the money, by one worker or two: the same end."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.integration.payments.account import StripeAccount
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
CREWS = [
    (1, "sqlite"),
    (2, "postgresql"),
    pytest.param(2, "sqlite", marks=pytest.mark.slow),
    pytest.param(1, "postgresql", marks=pytest.mark.slow),
]


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


def state_of(desk: Desk) -> list[tuple[int, str, int, str]]:
    """What is the same however often somebody was killed."""
    with desk.database.read() as connection:
        assert verify(connection) == []
    return [
        (statement.due_minor, found.status, desk.paid(statement), statement.hash)
        for statement in desk.statements()
        if (found := desk.receivable(statement))
    ]


@pytest.mark.parametrize(("workers", "database"), CREWS, indirect=["database"])
@pytest.mark.parametrize("point", POINTS)
def test_killed_anywhere_the_money_comes_in_once(
    point: str, workers: int, account: StripeAccount, database: Database
) -> None:
    account.customer()
    catalog = collected_catalog(make_fee(in_arrears=True), make_fee(name="more", amount="1.50"))
    apply_catalog(database, catalog, START)
    desk = Desk(database, {PROVIDER: account.port}, catalog)
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
    assert sorted(invoice.total for invoice in account.invoices()) == [150, 5050, 5050]
    assert account.collected() == 10_250
    assert desk.requests("stuck") == desk.requests("pending") == []
