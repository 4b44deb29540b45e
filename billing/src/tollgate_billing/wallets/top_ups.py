"""Rows of top-ups. A top-up is money that is to be paid in; when it is paid, it becomes a grant, once."""

from dataclasses import replace

from sqlalchemy import Connection, delete, insert, select, update

from tollgate_billing.ledger.subscriptions import Subscription
from tollgate_billing.ledger.tables import automatic_top_ups, top_ups
from tollgate_billing.wallets.burning import Grant
from tollgate_billing.wallets.grants import add_grant
from tollgate_billing.wallets.topping_up import Automatic, State, TopUp


class TopUpRefusedError(Exception):
    """Says why."""


def list_top_ups(connection: Connection, subscription: str) -> list[TopUp]:
    """All that ever were, in the order in which they were made."""
    t = top_ups.c
    query = select(top_ups).where(t.subscription == subscription).order_by(t.created_ms, t.id)
    return [TopUp(**row) for row in connection.execute(query).mappings()]


def pending_top_ups(connection: Connection, limit: int = 1000) -> list[TopUp]:
    """Of all subscriptions: what somebody has to collect, the oldest first."""
    t = top_ups.c
    query = select(top_ups).where(t.state == "pending").order_by(t.created_ms, t.id).limit(limit)
    return [TopUp(**row) for row in connection.execute(query).mappings()]


def find_top_up(connection: Connection, top_up_id: str) -> TopUp | None:
    """One, or None."""
    row = connection.execute(select(top_ups).where(top_ups.c.id == top_up_id)).mappings().first()
    return None if row is None else TopUp(**row)


def add_top_up(connection: Connection, top_up: TopUp) -> TopUp:
    """Once for each id: answers the one that is there. Raises TopUpRefusedError where another one has the id."""
    there = find_top_up(connection, top_up.id)
    if there is None:
        connection.execute(insert(top_ups).values(vars(top_up)))
        return top_up
    if (there.subscription, there.minor, there.currency) != (top_up.subscription, top_up.minor, top_up.currency):
        raise TopUpRefusedError(f"the top-up {top_up.id} is there already, with another content")
    return there


def settle_top_up(
    connection: Connection, row: Subscription, top_up: TopUp, state: State, note: str, now_ms: int
) -> bool:
    """False where it is in that state already. A paid one is a grant; a failed automatic one stops those after it.
    The caller has locked the subscription and read the top-up since. Raises TopUpRefusedError."""
    if top_up.state == state:
        return False
    if top_up.customer != row.customer:
        raise TopUpRefusedError(f"the top-up {top_up.id} is of the customer {top_up.customer}, who has left {row.name}")
    if top_up.state == "paid":
        raise TopUpRefusedError(f"the top-up {top_up.id} is paid; take back its grant instead")
    if state != "paid" and top_up.state != "pending":
        raise TopUpRefusedError(f"the top-up {top_up.id} is {top_up.state}")
    settled = replace(top_up, state=state, note=note, settled_ms=now_ms)
    connection.execute(update(top_ups).where(top_ups.c.id == top_up.id).values(vars(settled)))
    if state == "paid":
        _give(connection, grant_of(row, settled, now_ms))
    elif state == "failed" and top_up.reason == "automatic":
        mine = automatic_top_ups.c.subscription == row.name
        connection.execute(update(automatic_top_ups).where(mine).values(state="stopped"))
    return True


def automatic_of(connection: Connection, subscription: str) -> Automatic | None:
    """None where the customer asked for none."""
    a = automatic_top_ups.c
    row = connection.execute(select(automatic_top_ups).where(a.subscription == subscription)).mappings().first()
    return None if row is None else Automatic(**row)


def ask_for_automatic(connection: Connection, subscription: str, wanted: Automatic | None) -> None:
    """From now on; None ends it."""
    connection.execute(delete(automatic_top_ups).where(automatic_top_ups.c.subscription == subscription))
    if wanted is not None:
        connection.execute(insert(automatic_top_ups).values(vars(wanted)))


def cancel_pending(connection: Connection, subscription: str, now_ms: int) -> None:
    """Of a customer who leaves: nothing more is paid in, by himself or automatically."""
    ask_for_automatic(connection, subscription, None)
    mine = (top_ups.c.subscription == subscription, top_ups.c.state == "pending")
    connection.execute(update(top_ups).where(*mine).values(state="cancelled", settled_ms=now_ms))


def _give(connection: Connection, grant: Grant) -> None:
    try:
        fresh = add_grant(connection, grant)
    except ValueError as error:
        raise TopUpRefusedError(str(error)) from error
    if not fresh:
        raise TopUpRefusedError(f"there is a grant {grant.id} already that this top-up did not make")


def grant_name(top_up_id: str) -> str:
    """Of the grant that a top-up becomes."""
    return f"top-up.{top_up_id}"


def grant_of(row: Subscription, top_up: TopUp, now_ms: int, name: str = "", minor: int | None = None) -> Grant:
    """The credit that a paid top-up becomes; another ``name`` and amount where some of it comes back later."""
    amount = top_up.minor if minor is None else minor
    return Grant(
        id=name or grant_name(top_up.id),
        subscription=row.name,
        minor=amount,
        currency=top_up.currency,
        priority=0,
        granted_ms=now_ms,
        expires_ms=None,
        source="topUp",
        comment=top_up.note,
        remaining_minor=amount,
    )
