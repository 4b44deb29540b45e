"""Events of payment providers, as they came: written down before they are answered, looked at afterwards."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, insert, select, update

from tollgate_billing.ledger.tables import inbox, milestones
from tollgate_billing.payments.port import ProviderEvent


@dataclass(frozen=True)
class Received:
    """An event that waits to be looked at."""

    provider: str
    event: ProviderEvent
    attempts: int


def receive(connection: Connection, provider: str, event: ProviderEvent, now_ms: int) -> bool:
    """Once for each id; False where it is there already. Of what it says only where to look is kept."""
    i = inbox.c
    there = select(i.event_id).where(i.provider == provider, i.event_id == event.id)
    if connection.execute(there).first() is not None:
        return False
    values = {
        "provider": provider,
        "event_id": event.id,
        "kind": event.kind,
        "invoice": event.invoice,
        "payment": event.payment,
        "checkout": event.checkout,
        "customer": event.customer,
        "at_ms": event.at_ms,
        "received_ms": now_ms,
        "state": "pending",
        "attempts": 0,
        "due_ms": now_ms,
        "problem": "",
    }
    connection.execute(insert(inbox).values(values))
    return True


def due_events(connection: Connection, now_ms: int, limit: int = 1000, provider: str | None = None) -> list[Received]:
    """The oldest first; of one provider, or of all."""
    i = inbox.c
    columns = (i.provider, i.event_id, i.kind, i.at_ms, i.invoice, i.payment, i.checkout, i.customer, i.attempts)
    query = select(*columns).where(i.state == "pending", i.due_ms <= now_ms).order_by(i.due_ms, i.event_id).limit(limit)
    if provider is not None:
        query = query.where(i.provider == provider)
    return [
        Received(provider, ProviderEvent(*event), attempts) for provider, *event, attempts in connection.execute(query)
    ]


def waiting_events(connection: Connection) -> set[str]:
    """Names of providers whose events are to be looked at."""
    return set(connection.execute(select(inbox.c.provider).where(inbox.c.state == "pending").distinct()).scalars())


def last_poll(connection: Connection, provider: str) -> int | None:
    """When a provider's events were listed last, by whichever replica."""
    query = select(milestones.c.at_ms).where(milestones.c.name == _poll_name(provider))
    return connection.execute(query).scalar()


def remember_poll(connection: Connection, provider: str, now_ms: int) -> None:
    """All that happened until then is in the inbox with this transaction."""
    connection.execute(delete(milestones).where(milestones.c.name == _poll_name(provider)))
    connection.execute(insert(milestones).values(name=_poll_name(provider), at_ms=now_ms))


def _poll_name(provider: str) -> str:
    return f"polled {hashlib.sha256(provider.encode()).hexdigest()[:40]}"


def by_look(due: Iterable[Received]) -> dict[tuple[str, ...], list[Received]]:
    """Those that say to look at the same thing are one look, by what that is, in the order of the oldest of each."""
    found: dict[tuple[str, ...], list[Received]] = {}
    for received in due:
        event = received.event
        about = ("checkout", event.checkout) if event.checkout else ("invoice", event.invoice or event.payment)
        nothing = event.id if about == ("invoice", "") and not event.customer else ""
        found.setdefault((received.provider, *about, event.customer, nothing), []).append(received)
    return found


def settle_events(connection: Connection, alike: Sequence[Received]) -> None:
    """They were looked at."""
    _change(connection, alike, {"state": "done", "problem": ""})


def postpone_events(connection: Connection, alike: Sequence[Received], due_ms: int, problem: str) -> None:
    """They are looked at again then."""
    attempts = max(received.attempts for received in alike) + 1
    _change(connection, alike, {"due_ms": due_ms, "attempts": attempts, "problem": problem})


def put_events_aside(connection: Connection, alike: Sequence[Received], problem: str) -> None:
    """A person has to look."""
    _change(connection, alike, {"state": "stuck", "problem": problem})


@dataclass(frozen=True)
class Aside:
    """An event that a person has to look at."""

    provider: str
    id: str
    kind: str
    about: str
    received_ms: int
    problem: str


def events_aside(connection: Connection, limit: int = 1000) -> list[Aside]:
    """The oldest first."""
    i = inbox.c
    query = select(inbox).where(i.state == "stuck").order_by(i.received_ms, i.event_id).limit(limit)
    return [
        Aside(
            provider=row["provider"],
            id=row["event_id"],
            kind=row["kind"],
            about=row["invoice"] or row["payment"] or row["checkout"] or row["customer"],
            received_ms=row["received_ms"],
            problem=row["problem"],
        )
        for row in connection.execute(query).mappings()
    ]


def count_events(connection: Connection) -> dict[str, int]:
    """By state, of those that are not over."""
    i = inbox.c
    query = select(i.state, func.count()).where(i.state.in_(["pending", "stuck"])).group_by(i.state)
    return {"pending": 0, "stuck": 0, **{row[0]: int(row[1]) for row in connection.execute(query)}}


def decide_event(connection: Connection, event_id: str, again: bool, now_ms: int) -> bool:
    """To look at it again, or never; False where none of this id waits for a person."""
    i = inbox.c
    values = {"state": "pending" if again else "dropped", "due_ms": now_ms, "attempts": 0}
    return (
        connection.execute(update(inbox).where(i.event_id == event_id, i.state == "stuck").values(values)).rowcount > 0
    )


def _change(connection: Connection, alike: Sequence[Received], values: dict[str, str | int]) -> None:
    """Of one provider."""
    i = inbox.c
    mine = (i.provider == alike[0].provider, i.event_id.in_([received.event.id for received in alike]))
    connection.execute(update(inbox).where(*mine).values(values))
