"""Dead letters: events that the ledger refused for good, kept with the reason until a person has them replayed."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, delete, insert, or_, select, update

from tollgate_billing.ledger.tables import dead_letters


class Letter(NamedTuple):
    """``body`` is the event exactly as it arrived; ``event_id`` is known where it could be read at all."""

    event_id: str | None
    partition: int
    body: bytes
    reason: str

    @property
    def id(self) -> str:
        """The same refusal of the same bytes is one letter, however often it is delivered."""
        return hashlib.sha256(self.reason.encode(errors="replace") + b"\0" + self.body).hexdigest()[:32]


class StoredLetter(NamedTuple):
    """A letter as recorded."""

    id: str
    event_id: str | None
    partition: int
    body: bytes
    reason: str
    recorded_ms: int
    replayed_ms: int | None


def store_letters(connection: Connection, letters: Iterable[Letter], now_ms: int) -> None:
    """Keep letters; one that comes back after a replay is open again."""
    rows = {
        letter.id: {
            "id": letter.id,
            "event_id": _storable(letter.event_id),
            "partition": letter.partition,
            "body": letter.body,
            "reason": _storable(letter.reason) or "",
            "recorded_ms": now_ms,
            "replayed_ms": None,
        }
        for letter in letters
    }
    if rows:
        connection.execute(delete(dead_letters).where(dead_letters.c.id.in_(list(rows))))
        connection.execute(insert(dead_letters), list(rows.values()))


def _storable(text: str | None) -> str | None:
    """PostgreSQL keeps neither NUL nor half of a surrogate pair in a text."""
    return None if text is None else text.replace("\0", "\ufffd").encode(errors="replace").decode()


def list_letters(connection: Connection, *, open_only: bool = False, limit: int = 100) -> list[StoredLetter]:
    """Newest first."""
    query = select(dead_letters).order_by(dead_letters.c.recorded_ms.desc(), dead_letters.c.id).limit(limit)
    if open_only:
        query = query.where(dead_letters.c.replayed_ms.is_(None))
    return [_stored(row) for row in connection.execute(query)]


def _stored(row: Row[Any]) -> StoredLetter:
    return StoredLetter(
        row.id, row.event_id, row.partition, bytes(row.body), row.reason, row.recorded_ms, row.replayed_ms
    )


def open_letter_ids(connection: Connection) -> list[str]:
    """Those not replayed yet, the oldest first."""
    d = dead_letters.c
    return [row[0] for row in connection.execute(select(d.id).where(d.replayed_ms.is_(None)).order_by(d.recorded_ms))]


def read_letters(connection: Connection, ids: Sequence[str]) -> list[StoredLetter]:
    """Those of the given ids that exist; an event's id stands for all its letters."""
    d = dead_letters.c
    query = select(dead_letters).where(or_(d.id.in_(ids), d.event_id.in_(ids)))
    return [_stored(row) for row in connection.execute(query)]


def mark_replayed(connection: Connection, ids: Sequence[str], now_ms: int) -> None:
    """Say that letters have been put back on the stream."""
    connection.execute(update(dead_letters).where(dead_letters.c.id.in_(ids)).values(replayed_ms=now_ms))
