"""Routes for customers, who authenticate with their own API key and see their own subscription."""

from typing import Annotated

from fastapi import APIRouter, Depends
from sqlalchemy import Connection

from tollgate_billing.http.auth import require_customer
from tollgate_billing.http.problems import Problem
from tollgate_billing.http.services import Services
from tollgate_billing.http.views import Json, quantity_text, view_period, view_shares
from tollgate_billing.ledger.api_keys import StoredKey
from tollgate_billing.ledger.subscriptions import Subscription, find_subscription
from tollgate_billing.ledger.totals import UsageTotal, metric_sums, shares_by_quality, usage_totals
from tollgate_billing.statements.document import document_of
from tollgate_billing.statements.drafting import draft_now, terms_now
from tollgate_core.catalog import Catalog
from tollgate_core.events import rfc3339
from tollgate_core.periods import Recurrence
from tollgate_core.pricing import Calendar, Span
from tollgate_core.quantity import format_decimal, to_decimal, to_micros


def customer_routes(services: Services) -> APIRouter:
    """The customers' API."""
    router = APIRouter()
    customer = require_customer(services)

    @router.get("/usage")
    def usage(key: Annotated[StoredKey, Depends(customer)]) -> Json:
        now, catalog = services.clock(), services.catalog.current
        with services.database.read() as connection:
            row = find_subscription(connection, key.subscription)
            if row is None:
                raise Problem(404, "the key's subscription is gone")
            draft = draft_now(connection, terms_now(connection, catalog), row, now)
            metrics = _metrics(connection, catalog, row, draft.period)
            limits = _limits(connection, catalog, row, now)
        return {
            "subscription": row.name,
            "product": row.product,
            "state": row.state,
            "as_of": rfc3339(now),
            "period": view_period(draft.period),
            "metrics": metrics,
            "limits": limits,
            "invoice": document_of(draft, "draft"),
        }

    return router


def _metrics(connection: Connection, catalog: Catalog, row: Subscription, period: Span) -> list[Json]:
    units = {metric.name: (metric.unit, metric.display_name) for metric in catalog.metrics}
    by_metric: dict[str, list[UsageTotal]] = {}
    for total in usage_totals(connection, row.name, period.start_ms, period.end_ms):
        by_metric.setdefault(total.metric, []).append(total)
    return [
        {
            "metric": metric,
            "unit": units.get(metric, ("unit", ""))[0],
            "display_name": units.get(metric, ("", ""))[1] or metric,
            "quantity": quantity_text(sum(part.micros for part in parts)),
            "events": sum(part.events for part in parts),
            "by_quality": view_shares(shares_by_quality(parts)),
        }
        for metric, parts in by_metric.items()
    ]


def _limits(connection: Connection, catalog: Catalog, row: Subscription, now_ms: int) -> list[Json]:
    product = next((product for product in catalog.products if product.name == row.product), None)
    calendar = Calendar(row.anchor_ms, row.time_zone)
    views: list[Json] = []
    for limit in product.limits if product else ():
        period = calendar.at(Recurrence(limit.interval, limit.interval_count), now_ms)
        used = metric_sums(connection, row.name, period.start_ms, period.end_ms).get(limit.metric, 0)
        allowed = to_decimal(limit.limit)
        views.append(
            {
                "metric": limit.metric,
                "limit": format_decimal(allowed),
                "used": quantity_text(used),
                "remaining": quantity_text(max(0, to_micros(allowed) - used)),
                "period": view_period(period),
            }
        )
    return views
