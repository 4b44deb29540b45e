"""Single quantities, for metrics whose calls do not add up (max, last, unique)."""

from sqlalchemy import Connection, func, select

from tollgate_billing.ledger.catalogs import PriceKey
from tollgate_billing.ledger.commodity import commodity, usage_account
from tollgate_billing.ledger.tables import postings


def standing_quantities(
    connection: Connection, subscription: str, metric: str, price: PriceKey, start_ms: int, end_ms: int
) -> list[int]:
    """Micros of each event of the half-open time as it stands after its corrections, by time and id."""
    p = postings.c
    query = (
        select(func.sum(p.amount_micros))
        .where(p.subscription == subscription, p.at_ms >= start_ms, p.at_ms < end_ms)
        .where(p.account == usage_account(subscription, metric), p.commodity == commodity(metric, *price))
        .group_by(p.event_id, p.at_ms)
        .having(func.sum(p.weight) > 0)
        .order_by(p.at_ms, p.event_id)
    )
    return [int(row[0]) for row in connection.execute(query)]
