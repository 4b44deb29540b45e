"""What the gate must know of a prepaid subscription, and what its counter in Redis must say.

The counter grows by what usage costs, for ever; its bound is all that usage may ever cost: what was billed, the balance
and the overdraft, less what is owed. Closing a statement moves usage from one side to the other and changes neither
sum, so that nothing has to happen at the same moment.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from sqlalchemy import Connection, func, select, union

from tollgate_billing.ledger.catalogs import PriceKey
from tollgate_billing.ledger.events import recently_recorded
from tollgate_billing.ledger.money import SETTLING
from tollgate_billing.ledger.pins import pins_of
from tollgate_billing.ledger.subscriptions import Subscription
from tollgate_billing.ledger.tables import (
    payments,
    statement_lines,
    statements,
    subscription_prices,
    subscriptions,
    wallet_grants,
)
from tollgate_billing.wallets.burning import unexpired
from tollgate_billing.wallets.grants import own_grants
from tollgate_core.catalog import Price
from tollgate_core.money import minor_unit_exponent
from tollgate_core.pricing import terms_of
from tollgate_core.pricing.selection import in_order


@dataclass(frozen=True)
class Rate:
    """What a unit of a metric costs at most, in major units, where ``when`` holds (empty: always)."""

    metric: str
    when: str
    rate: float


@dataclass(frozen=True)
class Standing:
    """``limit`` in major units."""

    limit: float
    rates: tuple[Rate, ...]


def standing(
    connection: Connection, row: Subscription, prices: Mapping[PriceKey, Price], now_ms: int
) -> Standing | None:
    """None where the subscription is not prepaid. ``prices`` are all versions."""
    if not row.overdraft or not row.currency:
        return None
    left = unexpired(own_grants(connection, row, row.currency), now_ms)
    minor = billed_usage(connection, row) + left - owed(connection, row)
    limit = Fraction(minor, 10 ** minor_unit_exponent(row.currency)) + Fraction(row.overdraft)
    held = [prices[p.price, p.version] for p in pins_of(connection, [row.name]) if p.holds_at(now_ms)]
    rates = tuple(Rate(price.metric, price.when, dearest(price)) for price in in_order(held) if price.metric)
    return Standing(float(limit), rates)


def billed_usage(connection: Connection, row: Subscription) -> int:
    """Minor units of usage on all statements of the customer."""
    s, li = statements.c, statement_lines.c
    query = (
        select(func.coalesce(func.sum(li.minor), 0))
        .join(statements, s.id == li.statement)
        .where(li.subscription == row.name, s.customer == row.customer, li.kind == "usage")
    )
    return int(connection.execute(query).scalar_one())


def owed(connection: Connection, row: Subscription) -> int:
    """Minor units that the customer's statements left to be paid and nobody paid, or, negative, as a credit for later
    ones."""
    s, p = statements.c, payments.c
    stated = select(func.coalesce(func.sum(s.total_minor - s.applied_minor), 0))
    stated = stated.where(s.subscription == row.name, s.customer == row.customer)
    paid = select(func.coalesce(func.sum(p.minor), 0))
    settled = (p.subscription == row.name, p.customer == row.customer, p.kind.in_(SETTLING))
    paid = paid.join(statements, s.id == p.subject).where(*settled)  # what is paid in is credit, not a debt's end
    return int(connection.execute(stated).scalar_one()) - int(connection.execute(paid).scalar_one())


def prepaid_names(connection: Connection) -> set[str]:
    """Of all prepaid subscriptions."""
    s = subscriptions.c
    return set(connection.execute(select(s.name).where(s.overdraft != "")).scalars())


def turned(connection: Connection, after_ms: int, now_ms: int) -> set[str]:
    """Prepaid subscriptions of which in this time, up to ``now_ms``, a price began or ended to hold, or a grant
    expired: no change of theirs tells, because it was decided before."""
    p, g = subscription_prices.c, wallet_grants.c
    since, until, expired = (column.between(after_ms + 1, now_ms) for column in (p.since_ms, p.until_ms, g.expires_ms))
    query = union(select(p.subscription).where(since | until), select(g.subscription).where(expired))
    return prepaid_names(connection) & set(connection.execute(query).scalars())


def recently_used(connection: Connection, since_ms: int) -> set[str]:
    """Prepaid subscriptions whose usage was recorded since then."""
    prepaid = prepaid_names(connection)
    if not prepaid:
        return set()
    return prepaid & recently_recorded(connection, since_ms)


def dearest(price: Price) -> float:
    """Of a price's tiers the dearest unit: a hold must not be too small."""
    terms = terms_of(price)
    amounts = [tier.amount for tier in terms.tiers] or [terms.amount]
    return float(max(amounts) / terms.per)
