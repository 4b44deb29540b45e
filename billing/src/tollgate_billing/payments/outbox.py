"""What is to be asked of a payment provider: rows that commit with what they follow from, and are sent afterwards.

``attempted_ms`` is written down before anything is sent, so that whoever takes a row over knows that he must look
first, and how long ago it was that something may have had an effect. A row belongs to one sender at a time, for as
long as its lease.
"""

from dataclasses import dataclass, replace
from typing import Literal

from sqlalchemy import Connection, and_, exists, func, insert, or_, select, update

from tollgate_billing.ledger.tables import outbox
from tollgate_billing.payments.receivables import release_carried

Kind = Literal["invoice", "top_up", "refund"]
State = Literal["pending", "done", "stuck", "dropped"]


@dataclass(frozen=True)
class Request:
    """``subject`` is what an invoice or a top-up is about, or the id of a refund. ``problem`` says what went wrong
    last; a stuck one waits for a person."""

    id: str
    kind: str
    provider: str
    subscription: str
    subject: str
    state: str
    attempts: int
    attempted_ms: int | None
    due_ms: int
    leased_ms: int
    created_ms: int
    done_ms: int | None
    problem: str


def enqueue(connection: Connection, kind: Kind, provider: str, subscription: str, subject: str, now_ms: int) -> None:
    """In the transaction of what it follows from. Raises IntegrityError where it is there already."""
    made = Request(
        id=f"{kind}.{subject}",
        kind=kind,
        provider=provider,
        subscription=subscription,
        subject=subject,
        state="pending",
        attempts=0,
        attempted_ms=None,
        due_ms=now_ms,
        leased_ms=0,
        created_ms=now_ms,
        done_ms=None,
        problem="",
    )
    connection.execute(insert(outbox).values(vars(made)))


def due_requests(connection: Connection, now_ms: int, limit: int = 100, provider: str | None = None) -> list[Request]:
    """The oldest that waits of each subscription, where its time has come and nobody is at it; of one provider, or of
    all."""
    o, earlier = outbox.c, outbox.alias("earlier")
    before = or_(earlier.c.created_ms < o.created_ms, and_(earlier.c.created_ms == o.created_ms, earlier.c.id < o.id))
    same = (earlier.c.subscription == o.subscription) & (earlier.c.provider == o.provider)
    waits = same & (earlier.c.state == "pending") & before
    mine = (o.state == "pending", o.due_ms <= now_ms, o.leased_ms <= now_ms, ~exists().where(waits))
    query = select(outbox).where(*mine).order_by(o.due_ms, o.id).limit(limit)
    if provider is not None:
        query = query.where(o.provider == provider)
    return [Request(**row) for row in connection.execute(query).mappings()]


def claim(connection: Connection, request: Request, now_ms: int, lease_ms: int) -> bool:
    """False where somebody else has it. It counts as attempted from here on."""
    o = outbox.c
    mine = (o.id == request.id, o.state == "pending", o.leased_ms == request.leased_ms, o.attempts == request.attempts)
    values = {
        "attempts": request.attempts + 1,
        "attempted_ms": now_ms,
        "leased_ms": now_ms + lease_ms,
    }
    return connection.execute(update(outbox).where(*mine).values(values)).rowcount == 1


def finish(connection: Connection, request: Request, now_ms: int) -> None:
    """The provider has done it."""
    _change(connection, request, state="done", done_ms=now_ms, leased_ms=0, problem="")


def postpone(connection: Connection, request: Request, due_ms: int, problem: str) -> None:
    """It is tried again then."""
    _change_own(connection, request, due_ms=due_ms, leased_ms=0, problem=problem)


def postpone_unsent(connection: Connection, request: Request, due_ms: int, problem: str) -> None:
    """This attempt had no effect: what counts is the one before, if there was one."""
    _change_own(
        connection, request, due_ms=due_ms, leased_ms=0, problem=problem, attempted_ms=request.attempted_ms or 0
    )


def postpone_unseen(connection: Connection, request: Request, due_ms: int, problem: str) -> None:
    """It was only looked for, which is no attempt."""
    before = {"attempted_ms": request.attempted_ms or 0, "attempts": request.attempts}
    _change_own(connection, request, due_ms=due_ms, leased_ms=0, problem=problem, **before)


def wait_for_provider(connection: Connection, request: Request, now_ms: int, due_ms: int, problem: str) -> None:
    """Nobody can send it now. Where somebody is at it all the same, it stays his."""
    o = outbox.c
    mine = (o.id == request.id, o.state == "pending", o.leased_ms <= now_ms)
    connection.execute(update(outbox).where(*mine).values(due_ms=due_ms, problem=problem))


def send_again(connection: Connection, kind: Kind, subject: str, now_ms: int) -> None:
    """What the provider has done before: something may be possible now that was not."""
    o = outbox.c
    mine = (o.id == f"{kind}.{subject}", o.state == "done")
    connection.execute(update(outbox).where(*mine).values(state="pending", due_ms=now_ms))


def put_aside(connection: Connection, request: Request, problem: str) -> None:
    """A person has to decide; what comes after it is not kept waiting."""
    _change_own(connection, request, state="stuck", leased_ms=0, problem=problem)


def decide(connection: Connection, request: Request, again: bool, now_ms: int) -> Request:
    """What a person decided: to try one again, or to drop it for good, and then what it would have carried waits for
    another one."""
    decided = replace(request, state="pending" if again else "dropped", due_ms=now_ms, leased_ms=0)
    _change(connection, request, state=decided.state, due_ms=now_ms, leased_ms=0)
    if not again:
        release_carried(connection, request.subject)
    return decided


def find_request(connection: Connection, request_id: str, *, lock: bool = False) -> Request | None:
    """One, or None. With ``lock`` nobody begins to send it before this transaction ends."""
    query = select(outbox).where(outbox.c.id == request_id)
    row = connection.execute(query.with_for_update() if lock else query).mappings().first()
    return None if row is None else Request(**row)


def count_stuck(connection: Connection) -> int:
    """How many wait for a person."""
    return count_requests(connection)["stuck"]


def count_requests(connection: Connection) -> dict[str, int]:
    """By state, of those that are not over."""
    o = outbox.c
    query = select(o.state, func.count()).where(o.state.in_(["pending", "stuck"])).group_by(o.state)
    return {"pending": 0, "stuck": 0, **{row[0]: int(row[1]) for row in connection.execute(query)}}


def waiting_providers(connection: Connection) -> set[str]:
    """Names of those that something is to be sent to."""
    o = outbox.c
    return set(connection.execute(select(o.provider).where(o.state == "pending").distinct()).scalars())


def list_requests(connection: Connection, state: State, limit: int = 1000) -> list[Request]:
    """The oldest first."""
    o = outbox.c
    query = select(outbox).where(o.state == state).order_by(o.created_ms, o.id).limit(limit)
    return [Request(**row) for row in connection.execute(query).mappings()]


def _change(connection: Connection, request: Request, **values: str | int) -> None:
    connection.execute(update(outbox).where(outbox.c.id == request.id).values(values))


def _change_own(connection: Connection, request: Request, **values: str | int) -> None:
    """Of whoever has claimed it: where his lease ran out and somebody else has it, he knows less."""
    o = outbox.c
    mine = (o.id == request.id, o.state == "pending", o.attempts == request.attempts + 1)
    connection.execute(update(outbox).where(*mine).values(values))
