"""Whatever happens to a subscription, in whatever order: its books are whole, and say what docs/pricing.md says."""

import shutil
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.unit.billing.books import Books
from tests.unit.billing.conftest import fresh_postgresql
from tests.unit.billing.lives import DAY, HOUR, PRICES
from tollgate_billing.ledger.database import Database
from tollgate_billing.ledger.migrate import migrate as migrate_database
from tollgate_billing.subscriptions import changes

_QUANTITIES = st.sampled_from(["0", "1", "7", "10.5", "100", "2500", "0.000001", "123456789"])
#: How long nothing happens, and whether the books are closed then.
_PAUSES = st.tuples(st.one_of(st.sampled_from([1, HOUR, DAY, 7 * DAY]), st.integers(1, 20 * DAY)), st.booleans())
_JUMPS = st.one_of(st.sampled_from([28, 31, 62]).map(lambda days: days * DAY), st.integers(1, 45 * DAY))
#: How long after it was used the use is known.
_LATE = st.sampled_from([0, 0, 0, 1, HOUR, DAY, 12 * DAY, 35 * DAY, 65 * DAY])
Pause = tuple[int, bool]


class Life(RuleBasedStateMachine):
    """Each rule is something that happens, some time after what happened before."""

    def fresh_database(self) -> Database:
        """Empty and migrated."""
        raise NotImplementedError

    @initialize(
        product=st.sampled_from(["basic", "team"]),
        currency=st.sampled_from(["USD", "JPY", "KWD"]),
        zone=st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe"]),
        trial_days=st.sampled_from([0, 0, 14]),
        delay_ms=st.sampled_from([0, HOUR]),
        overdraft=st.sampled_from(["", "0", "5"]),
    )
    def begins(self, product: str, currency: str, zone: str, trial_days: int, delay_ms: int, overdraft: str) -> None:
        self.books = Books(self.fresh_database(), currency, zone, trial_days, delay_ms, overdraft)
        self.books.begin(product)

    def teardown(self) -> None:
        if hasattr(self, "books"):
            self.books.database.close()

    @rule(pause=_PAUSES, calls=st.lists(st.tuples(_LATE, _QUANTITIES, _QUANTITIES), min_size=1, max_size=4))
    def uses(self, pause: Pause, calls: list[tuple[int, str, str]]) -> None:
        self.books.wait(*pause)
        for late, tokens, peak in calls:
            self.books.use(self.books.now - late, {"tokens": tokens, "peak": peak})

    @rule(pause=_PAUSES, tokens=_QUANTITIES, late=_LATE)
    def uses_an_estimated_number(self, pause: Pause, tokens: str, late: int) -> None:
        self.books.wait(*pause)
        self.books.estimate(self.books.now - late, {"tokens": tokens})

    @precondition(lambda self: self.books.estimates)
    @rule(pause=_PAUSES, tokens=_QUANTITIES, peak=_QUANTITIES)
    def an_estimate_is_corrected(self, pause: Pause, tokens: str, peak: str) -> None:
        self.books.wait(*pause)
        self.books.correct({"tokens": tokens, "peak": peak})

    @rule(pause=_PAUSES)
    def switches(self, pause: Pause) -> None:
        self.books.wait(*pause)
        self.books.change(
            lambda connection, catalog, row, now: changes.switch(
                connection, catalog, row, "team" if row.product == "basic" else "basic", now
            )
        )

    @rule(pause=_PAUSES, at_period_end=st.booleans())
    def cancels(self, pause: Pause, at_period_end: bool) -> None:
        self.books.wait(*pause)
        self.books.change(
            lambda connection, _, row, now: changes.cancel(connection, row, now, at_period_end=at_period_end)
        )

    @precondition(lambda self: self.books.row().ended_ms is not None)
    @rule(pause=_PAUSES)
    def goes_on(self, pause: Pause) -> None:
        self.books.wait(*pause)
        self.books.change(changes.reactivate)

    @rule(pause=_PAUSES, seats=st.integers(1, 9))
    def has_other_seats(self, pause: Pause, seats: int) -> None:
        self.books.wait(*pause)
        self.books.change(lambda connection, _, row, now: changes.set_seats(connection, row, "basic-fee", seats, now))

    @rule(pause=_PAUSES, edited=st.sampled_from(sorted(PRICES)), edition=st.integers(1, 3), every=st.booleans())
    def a_price_is_edited_and_the_subscription_migrated(
        self, pause: Pause, edited: str, edition: int, every: bool
    ) -> None:
        self.books.wait(*pause)
        self.books.edit(edited, edition)
        names = None if every else [edited]
        self.books.change(lambda connection, catalog, row, now: changes.migrate(connection, catalog, row, now, names))

    @rule(pause=_PAUSES, minor=st.integers(-5_000, 5_000).filter(bool))
    def is_charged_or_credited_by_hand(self, pause: Pause, minor: int) -> None:
        self.books.wait(*pause)
        self.books.charge(minor)

    @rule(
        pause=_PAUSES,
        minor=st.integers(1, 100_000),
        priority=st.integers(-1, 1),
        days=st.none() | st.sampled_from([0, 1, 40]),
    )
    def pays_in(self, pause: Pause, minor: int, priority: int, days: int | None) -> None:
        self.books.wait(*pause)
        self.books.give(minor, priority, days)

    @rule(pause=_PAUSES)
    def money_is_taken_back(self, pause: Pause) -> None:
        self.books.wait(*pause)
        self.books.take_back()

    @rule(pause=_PAUSES, share=st.sampled_from([Fraction(1, 3), Fraction(1), Fraction(-1)]))
    def pays_or_has_it_returned(self, pause: Pause, share: Fraction) -> None:
        self.books.wait(*pause)
        self.books.pay(share)

    @rule(pause=_PAUSES, share=st.sampled_from([Fraction(1, 3), Fraction(1)]))
    def is_given_something_back(self, pause: Pause, share: Fraction) -> None:
        self.books.wait(*pause)
        self.books.credit(share)

    @rule(jump=_JUMPS)
    def time_goes_by_and_the_books_are_closed(self, jump: int) -> None:
        self.books.wait(jump, then_close=True)

    @invariant()
    def the_books_are_whole(self) -> None:
        if hasattr(self, "books"):
            self.books.check()


@contextmanager
def sqlite_databases() -> Generator[Callable[[], Database]]:
    """Copies of one empty file: migrating takes longer than a life."""
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder) / "empty.db"
        database = Database(f"sqlite:///{empty}")
        migrate_database(database)
        database.close()
        numbers = iter(range(10**9))

        def fresh() -> Database:
            copy = Path(folder) / f"{next(numbers)}.db"
            shutil.copy(empty, copy)
            return Database(f"sqlite:///{copy}")

        yield fresh


def _live(fresh: Callable[[], Database], *, lives: int, events: int, repeatable: bool) -> None:
    class Machine(Life):
        def fresh_database(self) -> Database:
            return fresh()

    run_state_machine_as_test(Machine, settings=lives_settings(lives=lives, events=events, repeatable=repeatable))


def lives_settings(*, lives: int, events: int, repeatable: bool) -> settings:
    """So many lives of so many events."""
    return settings(
        max_examples=lives,
        stateful_step_count=events,
        deadline=None,
        derandomize=repeatable,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )


def test_lives_on_sqlite() -> None:
    with sqlite_databases() as fresh:
        _live(fresh, lives=10, events=22, repeatable=True)


def test_lives_on_postgresql(postgresql: str) -> None:
    _live(lambda: _migrated(fresh_postgresql(postgresql)), lives=3, events=12, repeatable=True)


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_many_long_lives_on_sqlite() -> None:
    with sqlite_databases() as fresh:
        _live(fresh, lives=400, events=40, repeatable=False)


def _migrated(url: str) -> Database:
    database = Database(url)
    migrate_database(database)
    return database
