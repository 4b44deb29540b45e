"""Checking the ledger's invariants in SQL, over everything that is recorded."""

from typing import Any

from sqlalchemy import Connection, Select, and_, case, exists, func, literal, or_, select, union_all

from tollgate_billing.ledger.commodity import USAGE_PREFIX
from tollgate_billing.ledger.hours import HOUR_MS
from tollgate_billing.ledger.tables import (
    event_corrections,
    money_postings,
    postings,
    statement_lines,
    statements,
    usage_events,
    usage_hours,
    wallet_burns,
    wallet_grants,
)

_HALF = 10**9
_SHOWN = 10
WALLET_PREFIX = "wallet:"


def verify(connection: Connection) -> list[str]:
    """A sentence for each violation (at most ten of a kind); an empty list means that the ledger is sound."""
    found: list[str] = []
    for message, query in _checks():
        found += [f"{message}: {row[0]}" for row in connection.execute(query.limit(_SHOWN))]
    return found


def _checks() -> list[tuple[str, Select[Any]]]:
    return [
        ("lines do not sum to zero", _unbalanced()),
        ("lines without an event or correction", _orphans()),
        ("an account was taken other than once", _weights()),
        ("an account does not belong to its subscription", _accounts()),
        ("a correction without its predecessor", _gaps()),
        ("sums by the hour are not those of the postings", _hours()),
        ("postings of money do not sum to zero", _money()),
        ("a statement's total is not the sum of its lines", _statements()),
        ("a statement is missing", _missing_statements()),
        ("a grant was burned beyond its amount", _overburned()),
        ("a wallet's account is not what its grants hold", _wallets()),
    ]


def _unbalanced() -> Select[Any]:
    p = postings.c
    groups = select(p.event_id).group_by(p.event_id, p.revision, p.commodity)
    return groups.having(
        or_(func.sum(p.amount_micros // _HALF) * _HALF + func.sum(p.amount_micros % _HALF) != 0, func.count() < 2)
    )


def _orphans() -> Select[Any]:
    p, c = postings.c, event_corrections.c
    event = exists().where(usage_events.c.id == p.event_id)
    correction = exists().where(c.event_id == p.event_id, c.revision == p.revision)
    return select(p.event_id).where(or_(~event, and_(p.revision > 0, ~correction)))


def _weights() -> Select[Any]:
    """Whatever was corrected, an account of an event stands once or not at all."""
    p = postings.c
    standing = func.sum(p.weight)
    groups = select(p.event_id).group_by(p.event_id, p.account, p.commodity, p.quality)
    return groups.having(or_(standing < 0, standing > 1))


def _accounts() -> Select[Any]:
    p = postings.c
    prefix = literal(USAGE_PREFIX).concat(p.subscription).concat(":")
    fits = func.substr(p.account, 1, func.length(prefix)) == prefix
    is_usage = func.substr(p.account, 1, len(USAGE_PREFIX)) == USAGE_PREFIX
    wrong = case((p.subscription.is_(None), is_usage), else_=~fits)
    return select(p.event_id).where(wrong)


def _gaps() -> Select[Any]:
    c = event_corrections.c
    earlier = event_corrections.alias("earlier")
    follows_event = and_(c.revision == 1, exists().where(usage_events.c.id == c.event_id))
    follows = exists().where(earlier.c.event_id == c.event_id, earlier.c.revision == c.revision - 1)
    return select(c.event_id).where(~or_(follows_event, follows))


def _money() -> Select[Any]:
    m = money_postings.c
    return select(m.transaction).group_by(m.transaction, m.currency).having(func.sum(m.minor) != 0)


def _statements() -> Select[Any]:
    s, li = statements.c, statement_lines.c
    sums = select(li.statement, func.sum(li.minor).label("minor")).group_by(li.statement).subquery()
    joined = statements.outerjoin(sums, sums.c.statement == s.id)
    return select(s.id).select_from(joined).where(func.coalesce(sums.c.minor, 0) != s.total_minor)


def _missing_statements() -> Select[Any]:
    s = statements.c
    return select(s.subscription).group_by(s.subscription).having(func.max(s.sequence) != func.count())


def _hours() -> Select[Any]:
    """Both sides of each key add up to the same, also where one side is missing."""
    p, h = postings.c, usage_hours.c
    hour = (p.at_ms - p.at_ms % HOUR_MS).label("hour_ms")
    booked = select(
        p.subscription,
        hour,
        p.account,
        p.commodity,
        p.quality,
        p.amount_micros // _HALF,
        p.amount_micros % _HALF,
        p.weight,
    ).where(p.subscription.is_not(None))
    summed = select(h.subscription, h.hour_ms, h.account, h.commodity, h.quality, -h.high, -h.low, -h.weight)
    sides = union_all(booked, summed).subquery()
    key = list(sides.c)[:5]
    high, low, weight = (func.sum(part) for part in list(sides.c)[5:])
    groups = select(sides.c.subscription).group_by(*key)
    return groups.having(or_(high * _HALF + low != 0, weight != 0))


def _overburned() -> Select[Any]:
    g, b = wallet_grants.c, wallet_burns.c
    burned = select(b.grant, func.sum(b.minor).label("minor")).group_by(b.grant).subquery()
    joined = wallet_grants.join(burned, burned.c.grant == g.id)
    return select(g.id).select_from(joined).where(or_(burned.c.minor > g.minor, burned.c.minor < 0))


def _wallets() -> Select[Any]:
    """The account is owed to the customer: minus what is left of all grants."""
    g, b, m = wallet_grants.c, wallet_burns.c, money_postings.c
    account = literal(WALLET_PREFIX).concat(g.subscription)
    given = select(account.label("account"), g.currency, g.minor)
    taken = select(account, g.currency, -b.minor).join_from(wallet_burns, wallet_grants, b.grant == g.id)
    booked = select(m.account, m.currency, m.minor).where(m.account.like(f"{WALLET_PREFIX}%"))
    sides = union_all(given, taken, booked).subquery()
    return select(sides.c.account).group_by(sides.c.account, sides.c.currency).having(func.sum(sides.c.minor) != 0)
