"""Metric limits as they apply to a subscription now, as JSON."""

from collections.abc import Sequence

from sqlalchemy import Connection

from tollgate_billing.http.views import Json, quantity_text, view_period
from tollgate_billing.ledger.limits import OwnLimit, applying_limit, own_limit, own_limits
from tollgate_billing.ledger.subscriptions import Subscription
from tollgate_billing.ledger.totals import key_sums, metric_sums
from tollgate_core.catalog import Catalog, MetricLimit, Product, is_adjustable, scope_of
from tollgate_core.periods import Recurrence
from tollgate_core.pricing import Calendar, Span
from tollgate_core.quantity import format_decimal, to_decimal, to_micros


def product_of(catalog: Catalog, row: Subscription) -> Product | None:
    """None where it is gone from the catalog."""
    return catalog.product(row.product)


def limit_views(
    connection: Connection, catalog: Catalog, row: Subscription, now_ms: int, api_key: str | None = None
) -> list[Json]:
    """One for each limit of the product. What a key has used is shown to the key (its fingerprint) alone: ``used`` and
    ``remaining`` of a limit by key are null without one."""
    product = product_of(catalog, row)
    own = own_limits(connection, [row]).get(row.name, [])
    calendar = Calendar(row.anchor_ms, row.time_zone)
    views: list[Json] = []
    for limit in product.limits if product else ():
        period = calendar.at(Recurrence(limit.interval, limit.interval_count), now_ms)
        used = _used(connection, row, limit, period, api_key)
        views.append(_view(limit, own, period, used))
    return views


def _used(
    connection: Connection, row: Subscription, limit: MetricLimit, period: Span, api_key: str | None
) -> int | None:
    if not limit.per_key:
        return metric_sums(connection, row.name, period.start_ms, period.end_ms).get(limit.metric, 0)
    if api_key is None:
        return None
    sums = key_sums(connection, row.name, period.start_ms, period.end_ms)
    return sums.get((api_key, limit.metric), 0)


def _view(limit: MetricLimit, own: Sequence[OwnLimit], period: Span, used: int | None) -> Json:
    asked = own_limit(own, limit)
    allowed = applying_limit(own, limit)
    left = None if used is None else max(0, to_micros(allowed) - used)
    return {
        "metric": limit.metric,
        "scope": scope_of(limit),
        "enforcement": "soft" if limit.soft else "hard",
        "limit": format_decimal(allowed),
        "default": format_decimal(to_decimal(limit.limit)),
        "own": asked.units if asked else None,
        "adjustable": _bounds(limit) if is_adjustable(limit) else None,
        "used": None if used is None else quantity_text(used),
        "remaining": None if left is None else quantity_text(left),
        "period": view_period(period),
    }


def _bounds(limit: MetricLimit) -> Json:
    return {"min": format_decimal(to_decimal(limit.least)), "max": format_decimal(to_decimal(limit.most))}
