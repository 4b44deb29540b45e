"""Rows of drifts: what a comparison of books has found, until the next one or a person's word."""

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, delete, insert, or_, select, update

from tollgate_billing.ledger.tables import drifts

Kind = Literal["ledger", "wallet", "invoice", "lines", "payments", "duplicate", "unknown"]
#: Of these nothing more is invoiced before a person has looked.
_BLOCKING: tuple[Kind, ...] = ("ledger", "invoice", "lines", "payments", "duplicate")


@dataclass(frozen=True)
class Drift:
    """``subscription`` is empty where it is about all of them."""

    kind: str
    provider: str
    subscription: str
    subject: str
    message: str
    found_ms: int
    accepted_ms: int | None = None
    reason: str = ""

    @property
    def id(self) -> str:
        """The same as long as it says the same."""
        text = "\n".join((self.kind, self.provider, self.subject, self.message))
        return f"dr_{hashlib.sha256(text.encode()).hexdigest()[:24]}"


def replace_drifts(connection: Connection, kinds: Collection[str], provider: str, found: Iterable[Drift]) -> None:
    """With what a comparison of these kinds has found now. What was accepted stays so for as long as it says the same;
    what stands since earlier keeps its time."""
    d = drifts.c
    mine = (d.provider == provider, d.kind.in_(list(kinds)))
    before = {row["id"]: row for row in connection.execute(select(drifts).where(*mine)).mappings()}
    connection.execute(delete(drifts).where(*mine))
    for drift in {drift.id: drift for drift in found}.values():
        values = {**vars(drift), "id": drift.id}
        known = before.get(drift.id)
        kept = {name: known[name] for name in ("found_ms", "accepted_ms", "reason")} if known else {}
        connection.execute(insert(drifts).values({**values, **kept}))


def list_drifts(connection: Connection) -> list[Drift]:
    """The oldest first."""
    query = select(drifts).order_by(drifts.c.found_ms, drifts.c.id)
    rows = connection.execute(query).mappings()
    return [Drift(**{name: value for name, value in row.items() if name != "id"}) for row in rows]


def accept_drift(connection: Connection, drift_id: str, reason: str, now_ms: int) -> bool:
    """A person says that it is right; False where there is none."""
    query = update(drifts).where(drifts.c.id == drift_id).values(accepted_ms=now_ms, reason=reason)
    return connection.execute(query).rowcount == 1


def blocking_drift(connection: Connection, subscription: str) -> str:
    """Why nothing more is to be invoiced for it now; empty where nothing speaks against it."""
    d = drifts.c
    mine = or_(d.subscription == subscription, d.kind == "ledger")
    query = select(d.message).where(mine, d.kind.in_(_BLOCKING), d.accepted_ms.is_(None)).limit(1)
    return connection.execute(query).scalar() or ""
