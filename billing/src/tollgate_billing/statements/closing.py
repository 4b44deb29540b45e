"""Closing: what is due at a moment becomes a statement, once, with its postings, in one transaction.

Safe to kill at any point and to run twice: a closing moment belongs to whoever moves ``closed_ms`` of the
subscription's row, and a statement's number is unique. What arrives after its period was closed is on the
next statement.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from sqlalchemy import Connection, insert, update
from sqlalchemy.exc import IntegrityError

from tollgate_billing.checkpoints import Checkpoint, no_checkpoint
from tollgate_billing.clock import Clock
from tollgate_billing.health import Health, surviving
from tollgate_billing.ledger.database import Database
from tollgate_billing.ledger.late import late_names
from tollgate_billing.ledger.money import post_money, receivable_account
from tollgate_billing.ledger.subscriptions import Subscription, list_subscriptions, lock_subscription
from tollgate_billing.ledger.tables import statement_lines, statements, subscriptions
from tollgate_billing.statements.document import canonical, document_of
from tollgate_billing.statements.drafting import Draft, Terms, draft_at, exact_texts, moment_after, terms_now
from tollgate_billing.statements.store import Row, StoredStatement, chain_hash, statement_id
from tollgate_billing.subscriptions.changes import turn, turn_all
from tollgate_billing.wallets.grants import expire_grants, record_burns, wallet_account, with_expired_grants
from tollgate_core.catalog import Catalog
from tollgate_core.money import Money

_log = structlog.get_logger("closing")
Collect = Callable[[Connection, Subscription, StoredStatement], None]
_PAUSE_SECONDS = 1.0
_AGAIN_MS = 60_000
_MOMENTS_AT_ONCE = 500
#: How often ended subscriptions are looked at for late usage, and how much longer a transaction may take to show.
_LATE_MS = 60_000
_LATE_MARGIN_MS = 300_000
_LARGEST_MINOR = 10**18


def collect_nothing(connection: Connection, row: Subscription, statement: StoredStatement) -> None:
    """Statements are paid by other means."""
    del connection, row, statement


@dataclass(frozen=True)
class _Known:
    """The next closing moment of a subscription, as long as its row does not change."""

    revision: int
    closed_ms: int
    moment_ms: int | None


class Closer:
    """``tick`` closes all that can be closed; ``run`` repeats it. ``delay_ms``: how long usage may take to arrive."""

    def __init__(
        self,
        database: Database,
        catalog: Callable[[], Catalog],
        clock: Clock,
        delay_ms: int,
        health: Health,
        checkpoint: Checkpoint = no_checkpoint,
        collect: Collect = collect_nothing,
    ) -> None:
        self._database = database
        self._collect = collect
        self._catalog = catalog
        self._clock = clock
        self._delay_ms = delay_ms
        self._health = health
        self._checkpoint = checkpoint
        self._known: dict[str, _Known] = {}
        #: When one that could not be closed is tried again.
        self._again: dict[str, int] = {}
        self._late_at = 0

    def run(self, stop: threading.Event) -> None:
        """Until ``stop`` is set."""
        while not stop.is_set():
            with surviving(self._health, "closing", _log):
                wrong = self.tick()
                if wrong:
                    self._health.trouble("closing", f"cannot be closed: {', '.join(sorted(wrong)[:5])}")
                else:
                    self._health.fine("closing")
            stop.wait(_PAUSE_SECONDS)

    def tick(self) -> set[str]:
        """Close every moment that lies ``delay_ms`` back. Answers names of subscriptions that could not be closed: one
        of them does not stop the others."""
        now = self._clock()
        until = now - self._delay_ms
        with self._database.read() as connection:
            rows, terms = list_subscriptions(connection), terms_now(connection, self._catalog())
            self._forget_late(connection, now)
        if any(turn(row, now) for row in rows):
            with self._database.write() as connection:
                turn_all(connection, now)
        wrong = {row.name for row in rows if self._again.get(row.name, 0) > now}
        for row in rows:
            if row.name in wrong:
                continue
            try:
                self._close_row(terms, row, until)
            except (ArithmeticError, ValueError, KeyError, AssertionError) as error:
                wrong.add(row.name)
                self._again[row.name] = now + _AGAIN_MS
                _log.error("cannot be closed", subscription=row.name, error=f"{type(error).__name__}: {error}")
        self._expire_grants(until, wrong)
        return wrong

    def _forget_late(self, connection: Connection, now_ms: int) -> None:
        """An ended subscription is closed once more for what comes after its last statement."""
        if now_ms - self._late_at < _LATE_MS:
            return
        if self._late_at:  # at first nothing is known that could be forgotten
            for name in late_names(connection, self._late_at - _LATE_MARGIN_MS):
                self._known.pop(name, None)
        self._late_at = now_ms

    def _close_row(self, terms: Terms, row: Subscription, until_ms: int) -> None:
        """So many moments of one subscription at most, then it is the others' turn."""
        known = self._known.get(row.name)
        if known is None or (known.revision, known.closed_ms) != (row.revision, row.closed_ms):
            with self._database.read() as connection:
                known = _Known(row.revision, row.closed_ms, moment_after(connection, terms, row, row.closed_ms))
            self._known[row.name] = known
        if known.moment_ms is None or known.moment_ms > until_ms:
            return
        for _ in range(_MOMENTS_AT_ONCE):
            if not self._close_next(terms, row.name, until_ms):
                return

    def _expire_grants(self, until_ms: int, wrong: set[str]) -> None:
        """After all was closed that they could pay for."""
        with self._database.read() as connection:
            names = with_expired_grants(connection, until_ms)
        for name in names:
            if name not in wrong:
                with self._database.write() as connection:
                    lock_subscription(connection, name)
                    expire_grants(connection, name, until_ms)

    def _close_next(self, terms: Terms, name: str, until_ms: int) -> bool:
        """False where nothing is to be closed, or somebody else is doing it."""
        self._checkpoint("before-close")
        try:
            with self._database.write() as connection:
                row = lock_subscription(connection, name)
                moment = None if row is None else moment_after(connection, terms, row, row.closed_ms)
                if row is None or moment is None or moment > until_ms:
                    return False
                close(connection, terms, row, moment, self._clock(), self._checkpoint, self._collect)
                self._checkpoint("before-commit-close")
        except IntegrityError:
            _log.info("closed by another worker", subscription=name)
            return False
        self._checkpoint("after-commit-close")
        return True


def close(
    connection: Connection,
    terms: Terms,
    row: Subscription,
    moment_ms: int,
    now_ms: int,
    checkpoint: Checkpoint = no_checkpoint,
    collect: Collect = collect_nothing,
) -> Draft:
    """Write one statement down; a moment at which nothing changed leaves none. ``collect`` is told of it in the same
    transaction. The caller commits."""
    draft = draft_at(connection, terms, row, moment_ms)
    values = {"closed_ms": moment_ms, "cut_ms": now_ms}
    if draft.lines:
        collect(connection, row, _write(connection, draft, now_ms))
        checkpoint("in-close")
        if row.overdraft:  # the gate must know what a prepaid subscription may spend now
            values["revision"] = row.revision + 1
    connection.execute(update(subscriptions).where(subscriptions.c.name == row.name).values(values))
    return draft


def _write(connection: Connection, draft: Draft, now_ms: int) -> StoredStatement:
    row = draft.subscription
    largest = max(abs(minor) for minor in (draft.total.minor, *(line.minor for line in draft.lines)))
    if largest > _LARGEST_MINOR:
        raise OverflowError(f"an amount of {Money(largest, draft.total.currency)} is beyond what the ledger holds")
    key = statement_id(row.name, draft.sequence)
    body = canonical({"id": key, **document_of(draft, "final")})
    statement = StoredStatement(
        id=key,
        subscription=row.name,
        sequence=draft.sequence,
        customer=row.customer,
        closed_ms=draft.moment_ms,
        cut_ms=now_ms,
        currency=draft.total.currency,
        total_minor=draft.total.minor,
        brought_minor=draft.brought.minor,
        applied_minor=draft.applied.minor,
        due_minor=draft.due.minor,
        body=body,
        previous_hash=draft.previous_hash,
        hash=chain_hash(draft.previous_hash, body),
    )
    connection.execute(insert(statements).values(vars(statement)))
    connection.execute(insert(statement_lines), _line_rows(draft, key))
    post_money(connection, key, _sides(draft), draft.total.currency, draft.moment_ms)
    record_burns(connection, draft.burned, "statement", key)
    _log.info("statement", id=key, subscription=row.name, total=str(draft.total), lines=len(draft.lines))
    return statement


def _line_rows(draft: Draft, key: str) -> list[Row]:
    rows: list[Row] = []
    for number, line in enumerate(draft.lines):
        exact, quantity = exact_texts(line)
        rows.append(
            {
                "statement": key,
                "line": number,
                "subscription": draft.subscription.name,
                "kind": line.due.kind,
                "price": line.due.price.name,
                "version": line.due.price.version,
                "start_ms": line.due.span.start_ms,
                "end_ms": line.due.span.end_ms,
                "quantity": quantity,
                "exact": exact,
                "minor": line.minor,
            }
        )
    return rows


def _sides(draft: Draft) -> list[tuple[str, int]]:
    """The customer owes the total, but for what his wallet pays; each line is revenue of its price."""
    name, applied = draft.subscription.name, draft.applied.minor
    sides = [(receivable_account(name), draft.total.minor - applied)]
    sides += [(wallet_account(name), applied)] if applied else []
    return sides + [(f"revenue:{line.due.price.product}:{line.due.price.name}", -line.minor) for line in draft.lines]
