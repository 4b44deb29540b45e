"""Pricing recorded events again, where other price versions are pinned for their time than when they came.

An event's lines are reversed and written anew, as a correction: what was rated stays readable, and the next statement
bills the difference.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping

import structlog
from sqlalchemy import Connection, select

from tollgate_billing.ledger.entries import Entry, entry_of, lines_of
from tollgate_billing.ledger.events import list_corrections
from tollgate_billing.ledger.pricebook import PriceBook
from tollgate_billing.ledger.tables import postings, usage_events
from tollgate_billing.ledger.writer import Rows, correct, flush

_log = structlog.get_logger("ledger")
_CHUNK = 500


def reprice(connection: Connection, book: PriceBook, subscription: str, since_ms: int, now_ms: int) -> int:
    """Every event of the subscription from ``since_ms`` on, by its own time. Answers how many changed. The caller
    commits."""
    page = book.pages(connection, [subscription]).get(subscription)
    if page is None:
        return 0
    changed = 0
    for entries in _chunks(connection, subscription, since_ms):
        standing, rows = _standing(connection, entries), Rows()
        for revision, entry in entries:
            if entry.customer != page.customer:
                continue  # of somebody who had the name before, or who never should have
            lines = lines_of(entry, page.price_of(entry))
            if {line.commodity for line in lines} == standing[entry.id]:
                continue
            correct(connection, rows, entry, lines, revision, now_ms, page)
            changed += 1
        flush(connection, rows)
    return changed


def _chunks(connection: Connection, subscription: str, since_ms: int) -> Iterator[list[tuple[int, Entry]]]:
    """(standing revision, entry as it stands), in the order of ids."""
    e, last = usage_events.c, ""
    while True:
        query = select(e.id, e.body).where(e.subscription == subscription, e.at_ms >= since_ms, e.id > last)
        found = list(connection.execute(query.order_by(e.id).limit(_CHUNK)))
        if not found:
            return
        corrections = list_corrections(connection, [row[0] for row in found])
        entries: list[tuple[int, Entry]] = []
        for event_id, body in found:
            later = corrections.get(event_id, [])
            revision = later[-1]["revision"] if later else 0
            entries.append((revision, entry_of((later[-1]["body"] if later else body).encode())))
        yield entries
        last = found[-1][0]


def _standing(connection: Connection, entries: list[tuple[int, Entry]]) -> defaultdict[str, set[str]]:
    """The commodities in which each event stands now."""
    revisions = {entry.id: revision for revision, entry in entries}
    p = postings.c
    found: defaultdict[str, set[str]] = defaultdict(set)
    query = select(p.event_id, p.revision, p.commodity).where(p.event_id.in_(list(revisions)), p.weight > 0)
    for event_id, revision, commodity in connection.execute(query):
        if revisions[event_id] == revision:
            found[event_id].add(commodity)
    return found


def reprice_changed(connection: Connection, changed: Mapping[str, int | None], now_ms: int) -> int:
    """Usage that came before the prices it is charged by: ``changed`` says since when each subscription has others. In
    the transaction that changed the pins: it has waited for every transaction that priced by the old ones, and the next
    ones wait for it."""
    found = {name: since_ms for name, since_ms in changed.items() if since_ms is not None}
    count = sum(reprice(connection, PriceBook(), name, since_ms, now_ms) for name, since_ms in sorted(found.items()))
    if count:
        _log.info("priced anew", events=count)
    return count
