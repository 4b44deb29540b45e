"""Rows of grants and burns, and their postings. A wallet's account is what is owed to its customer: never positive."""

from collections.abc import Iterable, Sequence
from typing import Literal

from sqlalchemy import Connection, func, insert, select

from tollgate_billing.ledger.money import post_money
from tollgate_billing.ledger.subscriptions import Subscription, bump_revision
from tollgate_billing.ledger.tables import wallet_burns, wallet_grants
from tollgate_billing.ledger.verification import WALLET_PREFIX
from tollgate_billing.wallets.burning import Burn, Grant

Source = Literal["topUp", "promotion", "refund", "provider"]
Reason = Literal["statement", "expired", "void"]


def wallet_account(subscription: str) -> str:
    """Of the money ledger."""
    return f"{WALLET_PREFIX}{subscription}"


def grants_of(connection: Connection, subscription: str) -> list[Grant]:
    """All that ever were, in the order in which they were given."""
    g, b = wallet_grants.c, wallet_burns.c
    burned = select(b.grant, func.sum(b.minor).label("minor")).group_by(b.grant).subquery()
    query = (
        select(wallet_grants, func.coalesce(burned.c.minor, 0).label("burned"))
        .outerjoin(burned, burned.c.grant == g.id)
        .where(g.subscription == subscription)
        .order_by(g.granted_ms, g.id)
    )
    found: list[Grant] = []
    for row in connection.execute(query).mappings():
        values = dict(row)
        remaining = values["minor"] - int(values.pop("burned"))
        found.append(Grant(**values, remaining_minor=remaining))
    return found


def own_grants(connection: Connection, row: Subscription, currency: str) -> list[Grant]:
    """Those of the present customer: an earlier one of the same name may have left some."""
    return [g for g in grants_of(connection, row.name) if g.currency == currency and g.granted_ms >= row.created_ms]


def add_grant(connection: Connection, grant: Grant) -> bool:
    """Once for each id. False where the same one is there already; raises ValueError where another one has the id."""
    found = next((g for g in _by_id(connection, grant.id) if g.id == grant.id), None)
    if found is not None:
        if (found.subscription, found.minor, found.currency) != (grant.subscription, grant.minor, grant.currency):
            raise ValueError(f"the grant {grant.id} is there already, with another content")
        return False
    values = {name: value for name, value in vars(grant).items() if name != "remaining_minor"}
    connection.execute(insert(wallet_grants).values(values))
    bump_revision(connection, grant.subscription)
    sides = [(wallet_account(grant.subscription), -grant.minor), (f"granted:{grant.source}", grant.minor)]
    post_money(connection, f"grant:{grant.id}", sides, grant.currency, grant.granted_ms)
    return True


def record_burns(connection: Connection, burned: Iterable[Burn], reason: Reason, by: str) -> None:
    """``by`` is the statement that was paid, or what else took the money."""
    rows = [{"grant": burn.grant, "taken_by": by, "minor": burn.minor, "reason": reason} for burn in burned]
    if rows:
        connection.execute(insert(wallet_burns), rows)


def with_expired_grants(connection: Connection, now_ms: int) -> list[str]:
    """Subscriptions that have something left of a grant whose time is over."""
    g, b = wallet_grants.c, wallet_burns.c
    burned = select(b.grant, func.sum(b.minor).label("minor")).group_by(b.grant).subquery()
    query = (
        select(g.subscription)
        .outerjoin(burned, burned.c.grant == g.id)
        .where(g.expires_ms < now_ms, func.coalesce(burned.c.minor, 0) < g.minor)
        .distinct()
    )
    return list(connection.execute(query).scalars())


def expire_grants(connection: Connection, subscription: str, now_ms: int) -> None:
    """What is left of grants whose time is over becomes nobody's debt. The caller has locked the subscription and
    closed all that these grants could pay for."""
    grants = grants_of(connection, subscription)
    over = [g for g in grants if g.expires_ms is not None and g.expires_ms < now_ms and g.remaining_minor]
    _take(connection, over, "expired", now_ms)


def void_grant(connection: Connection, subscription: str, grant_id: str, now_ms: int) -> int | None:
    """Take back what is left of a grant, as after a chargeback. Answers how much, None where there is no such grant."""
    grant = next((grant for grant in grants_of(connection, subscription) if grant.id == grant_id), None)
    if grant is None:
        return None
    if grant.remaining_minor:
        _take(connection, [grant], "void", now_ms)
    return grant.remaining_minor


def grants_from(connection: Connection, subscription: str, name: str) -> list[Grant]:
    """The grant of this id, and those that followed it (``<id>:…``)."""
    found = grants_of(connection, subscription)
    return [grant for grant in found if grant.id == name or grant.id.startswith(f"{name}:")]


def voided(connection: Connection, grants: Sequence[str], *, by_hand: bool = True) -> int:
    """Minor units that were taken back of them; without ``by_hand`` those that ``take_back`` took."""
    b = wallet_burns.c
    query = select(func.coalesce(func.sum(b.minor), 0)).where(b.grant.in_(grants), b.reason == "void")
    query = query if by_hand else query.where(b.taken_by != "void")
    return int(connection.execute(query).scalar_one())


def take_back(connection: Connection, grants: Sequence[Grant], minor: int, now_ms: int) -> int:
    """Of what is left of these grants, ``minor`` or all of it: the money for them went back. Answers how much."""
    taken = 0
    for grant in reversed(grants):
        part = min(grant.remaining_minor, minor - taken)
        if part:
            by = f"void.{voided(connection, [grant.id])}"  # each one makes the sum larger
            record_burns(connection, [Burn(grant.id, part)], "void", by)
            bump_revision(connection, grant.subscription)
            sides = [(wallet_account(grant.subscription), part), ("void", -part)]
            post_money(connection, f"{by}:{grant.id}"[:128], sides, grant.currency, now_ms)
            taken += part
    return taken


def _take(connection: Connection, grants: Sequence[Grant], reason: Reason, now_ms: int) -> None:
    for grant in grants:
        record_burns(connection, [Burn(grant.id, grant.remaining_minor)], reason, reason)
        bump_revision(connection, grant.subscription)
        sides = [(wallet_account(grant.subscription), grant.remaining_minor), (reason, -grant.remaining_minor)]
        post_money(connection, f"{reason}:{grant.id}", sides, grant.currency, now_ms)


def _by_id(connection: Connection, grant_id: str) -> list[Grant]:
    query = select(wallet_grants.c.subscription).where(wallet_grants.c.id == grant_id)
    name = connection.execute(query).scalar()
    return [] if name is None else grants_of(connection, name)
