"""The month, day by day, through billing's own ledger and closing."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from tollgate_billing.health import Health
from tollgate_billing.ingest.batch import decode
from tollgate_billing.ingest.streams import Message
from tollgate_billing.ledger.catalogs import store_catalog
from tollgate_billing.ledger.database import Database
from tollgate_billing.ledger.migrate import migrate
from tollgate_billing.ledger.pricebook import PriceBook
from tollgate_billing.ledger.subscriptions import list_subscriptions
from tollgate_billing.ledger.verification import verify
from tollgate_billing.ledger.writer import post
from tollgate_billing.statements.closing import Closer
from tollgate_billing.statements.document import document_of
from tollgate_billing.statements.drafting import draft_now, terms_now
from tollgate_billing.statements.store import list_statements
from tollgate_billing.subscriptions.declared import declare
from tollgate_cli.month.population import DAY_MS, calls_of_day, customers, declaration
from tollgate_core.catalog import Catalog, content_hash
from tollgate_core.events import UsageEvent
from tollgate_core.metering import Plans

_BATCH = 1000
Say = Callable[[int, str], None]


@dataclass
class MonthReport:
    """What came of it. ``statements`` are documents; ``drafts`` are of the subscriptions whose period runs on."""

    events: int = 0
    refused: int = 0
    violations: list[str] = field(default_factory=list[str])
    statements: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    drafts: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


class Month:
    """One calendar month, then what is due at its end. ``now_ms`` is the clock."""

    def __init__(self, catalog: Catalog, state: Path, count: int, seed: int, first_day: datetime) -> None:
        self._rng = random.Random(seed)  # noqa: S311
        self.now_ms = int(first_day.timestamp() * 1000)
        following = first_day.replace(year=first_day.year + first_day.month // 12, month=first_day.month % 12 + 1)
        self.end_ms = int(following.timestamp() * 1000)
        self.customers = customers(catalog, count, self.now_ms, self._rng)
        self.catalog = msgspec.structs.replace(
            catalog, subscriptions=tuple(sorted(map(declaration, self.customers), key=lambda s: s.name))
        )
        self._plans = tuple(Plans(self.catalog, "month").endpoints.values())
        self._database = Database(f"sqlite:///{state / 'ledger.db'}")
        self._book = PriceBook()
        self._closer = Closer(self._database, lambda: self.catalog, lambda: self.now_ms, 0, Health())

    @property
    def days(self) -> int:
        """Of the month."""
        return (self.end_ms - self.now_ms) // DAY_MS

    def run(self, say: Say) -> MonthReport:
        """``say`` is told after each day how many days are done, and what the last one brought."""
        report = MonthReport()
        try:
            self._begin()
            for day in range(self.days):
                events = self._day(report)
                say(day + 1, f"{datetime.fromtimestamp(self.now_ms / 1000, UTC):%d %B}: {events} calls")
                self.now_ms += DAY_MS
                self._close()
            return self._finish(report)
        finally:
            self._database.close()

    def _begin(self) -> None:
        migrate(self._database)
        encoded = self.catalog.encode()
        with self._database.write() as connection:
            store_catalog(connection, content_hash(encoded), encoded, self.catalog, self.now_ms)
            declare(connection, self.catalog, self.now_ms)
        self._close()

    def _day(self, report: MonthReport) -> int:
        weekday = datetime.fromtimestamp(self.now_ms / 1000, UTC).weekday()
        batch: list[UsageEvent] = []
        count = 0
        for customer in self.customers:
            for event in calls_of_day(customer, self._plans, self.now_ms, weekday, self._rng):
                batch.append(event)
                count += 1
                if len(batch) == _BATCH:
                    self._record(batch, report)
        self._record(batch, report)
        return count

    def _record(self, batch: list[UsageEvent], report: MonthReport) -> None:
        decoded = decode([Message(0, b"0-0", event.encode()) for event in batch])
        with self._database.write() as connection:
            posted = post(connection, decoded.deliveries, decoded.letters, self.now_ms + DAY_MS, self._book)
        report.events += posted.count("new")
        report.refused += len(posted.letters)
        batch.clear()

    def _close(self) -> None:
        wrong = self._closer.tick()
        if wrong:
            raise RuntimeError(f"could not be closed: {', '.join(sorted(wrong))}")

    def _finish(self, report: MonthReport) -> MonthReport:
        with self._database.read() as connection:
            report.violations = verify(connection)
            terms = terms_now(connection, self.catalog)
            for statement in list_statements(connection, limit=1_000_000):
                report.statements.append(msgspec.json.decode(statement.body.encode()))
            rows = {row.name: row for row in list_subscriptions(connection)}
            for customer in self.customers:
                draft = draft_now(connection, terms, rows[customer.subscription], self.now_ms)
                if draft.lines:
                    report.drafts.append(document_of(draft, "draft"))
        return report
