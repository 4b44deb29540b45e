"""Posting events: one transaction for a batch, each event at most once."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, Dialect, Table, insert, select
from sqlalchemy.dialects import sqlite

from tollgate_billing.ledger.entries import Counted, Entry, Line, lines_of
from tollgate_billing.ledger.hours import add_to_hours
from tollgate_billing.ledger.judgement import CONFLICT_REASON, Judgement, Known, judge
from tollgate_billing.ledger.late import late_row
from tollgate_billing.ledger.letters import Letter, store_letters
from tollgate_billing.ledger.locks import BEGINNING, together
from tollgate_billing.ledger.pricebook import Page, PriceBook
from tollgate_billing.ledger.tables import event_corrections, late_usage, postings, usage_events

Row = dict[str, Any]


class Delivery(NamedTuple):
    """An entry and where it came from; ``body`` is what a dead letter keeps."""

    entry: Entry
    partition: int
    body: bytes


@dataclass
class Posted:
    """What one transaction did: a judgement for each delivery, in order, and the letters it stored."""

    judgements: list[Judgement] = field(default_factory=list[Judgement])
    letters: list[Letter] = field(default_factory=list[Letter])

    def count(self, judgement: Judgement) -> int:
        """How many deliveries were judged so."""
        return self.judgements.count(judgement)


@dataclass
class Rows:
    """Waiting to be inserted."""

    events: list[Row] = field(default_factory=list[Row])
    corrections: list[Row] = field(default_factory=list[Row])
    postings: list[Row] = field(default_factory=list[Row])
    late: list[Row] = field(default_factory=list[Row])


def post(
    connection: Connection, deliveries: Sequence[Delivery], letters: Iterable[Letter], now_ms: int, book: PriceBook
) -> Posted:
    """Record what is new, correct what is known better now, keep what conflicts as letters. The caller commits."""
    together(connection, BEGINNING)
    known = _known(connection, {delivery.entry.id for delivery in deliveries})
    pages = book.pages(connection, {delivery.entry.subscription for delivery in deliveries})
    rows, posted = Rows(), Posted(letters=list(letters))
    for delivery in deliveries:
        entry = delivery.entry
        standing = known[entry.id]
        judgement = judge(standing, entry.subscription, entry.quality, entry.witness, entry.payload_hash)
        page = pages.get(entry.subscription)
        refusal = page.refusal(entry, now_ms) if page and judgement == "new" else ""
        if refusal:
            posted.judgements.append("refused")
            posted.letters.append(Letter(entry.id, delivery.partition, delivery.body, refusal))
            continue
        posted.judgements.append(judgement)
        if judgement == "conflict":
            posted.letters.append(Letter(entry.id, delivery.partition, delivery.body, CONFLICT_REASON))
        elif judgement != "duplicate":
            revision = len(standing)
            lines = lines_of(entry, page.price_of(entry) if page else _no_price)
            if judgement == "correction":
                flush(connection, rows)  # what is reversed may be in this very batch
                correct(connection, rows, entry, lines, standing[-1].revision, now_ms, page)
            else:
                rows.events.append(_event_row(entry, delivery.partition, now_ms))
                rows.postings += posting_rows(entry, lines, 0)
                rows.late += _late(entry, 0, entry.at_ms, page)
            standing.append(Known(revision, entry.subscription, entry.quality, entry.witness, entry.payload_hash))
    flush(connection, rows)
    store_letters(connection, posted.letters, now_ms)
    return posted


def correct(
    connection: Connection,
    rows: Rows,
    entry: Entry,
    lines: Sequence[Line],
    standing: int,
    now_ms: int,
    page: Page | None,
) -> None:
    """What stands under the revision ``standing`` is reversed, and written as ``lines`` under the next one."""
    revision = standing + 1
    reversed_rows = _reversal(connection, entry.id, standing, revision)
    rows.corrections.append(_correction_row(entry, revision, now_ms))
    rows.postings += reversed_rows + posting_rows(entry, lines, revision, first_line=len(reversed_rows))
    earliest = min([entry.at_ms, *(row["at_ms"] for row in reversed_rows)])
    rows.late += _late(entry, revision, earliest, page)


def _late(entry: Entry, revision: int, at_ms: int, page: Page | None) -> list[Row]:
    """The row that tells the next closing, where the usage comes after its own."""
    return [late_row(entry, revision, at_ms, page.closed_ms)] if page and at_ms < page.closed_ms else []


def flush(connection: Connection, rows: Rows) -> None:
    """Insert what waits."""
    for table, pending in (
        (usage_events, rows.events),
        (event_corrections, rows.corrections),
        (postings, rows.postings),
        (late_usage, rows.late),
    ):
        if pending:
            connection.exec_driver_sql(_insert_text(table, connection.dialect), pending)
            if table is postings:
                add_to_hours(connection, pending)
            pending.clear()


@lru_cache
def _insert_text(table: Table, dialect: Dialect) -> str:
    """The statement as the driver takes it, once: SQLAlchemy would prepare the parameters of every row anew, which is
    half the cost of a batch."""
    statement = insert(table)
    by_name = sqlite.dialect(paramstyle="named") if dialect.name == "sqlite" else dialect
    return str(statement.compile(dialect=by_name))


def _known(connection: Connection, ids: set[str]) -> defaultdict[str, list[Known]]:
    """Every revision of each known id, in order."""
    known: defaultdict[str, list[Known]] = defaultdict(list)
    e, c = usage_events.c, event_corrections.c
    wanted = list(ids)
    columns = (e.id, e.subscription, e.quality, e.witness, e.payload_hash)
    for row in connection.execute(select(*columns).where(e.id.in_(wanted))):
        known[row[0]].append(Known(0, *row[1:]))
    if not known:
        return known
    later = select(c.event_id, c.revision, c.quality, c.witness, c.payload_hash)
    for row in connection.execute(later.where(c.event_id.in_(list(known))).order_by(c.event_id, c.revision)):
        revisions = known[row[0]]
        revisions.append(Known(row[1], revisions[0].subscription, *row[2:]))
    return known


def _event_row(entry: Entry, partition: int, now_ms: int) -> Row:
    row = entry._asdict()
    del row["event"], row["counted"]
    row["partition"], row["recorded_ms"] = partition, now_ms
    return row


def _correction_row(entry: Entry, revision: int, now_ms: int) -> Row:
    """Of ``event_corrections``."""
    return {
        "event_id": entry.id,
        "revision": revision,
        "outcome": entry.outcome,
        "quality": entry.quality,
        "witness": entry.witness,
        "unmetered": entry.unmetered,
        "body": entry.body,
        "payload_hash": entry.payload_hash,
        "recorded_ms": now_ms,
        "subscription": entry.subscription,
    }


def _no_price(counted: Counted) -> None:
    """Of a subscription that is not known (yet)."""
    del counted


def posting_rows(entry: Entry, lines: Sequence[Line], revision: int, first_line: int = 0) -> list[Row]:
    """Of ``postings``; raises AssertionError where they do not sum to zero."""
    _assert_balanced(entry.id, lines)
    return [
        {
            "event_id": entry.id,
            "revision": revision,
            "line": first_line + number,
            "account": line.account,
            "commodity": line.commodity,
            "amount_micros": line.amount_micros,
            "weight": 1,
            "quality": entry.quality,
            "subscription": line.subscription,
            "at_ms": entry.at_ms,
        }
        for number, line in enumerate(lines)
    ]


def _assert_balanced(event_id: str, lines: Sequence[Line]) -> None:
    sums: defaultdict[str, int] = defaultdict(int)
    for line in lines:
        sums[line.commodity] += line.amount_micros
    if any(sums.values()):
        raise AssertionError(f"the postings of event {event_id} do not sum to zero")


def _reversal(connection: Connection, event_id: str, reversed_revision: int, revision: int) -> list[Row]:
    """The standing lines with opposite signs, under the new revision."""
    p = postings.c
    standing = select(postings).where(p.event_id == event_id, p.revision == reversed_revision, p.weight > 0)
    found = connection.execute(standing.order_by(p.line)).mappings()
    return [
        {
            **row,
            "revision": revision,
            "line": number,
            "amount_micros": -row["amount_micros"],
            "weight": -1,
        }
        for number, row in enumerate(found)
    ]
