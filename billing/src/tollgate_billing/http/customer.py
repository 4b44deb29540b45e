"""Routes for customers, who authenticate with their own API key and see their own subscription."""

from typing import Annotated

from fastapi import APIRouter, Depends
from sqlalchemy import Connection

from tollgate_billing.http.auth import require_customer
from tollgate_billing.http.limit_views import limit_views
from tollgate_billing.http.problems import Problem
from tollgate_billing.http.services import Services
from tollgate_billing.http.views import Json, quantity_text, view_period, view_shares
from tollgate_billing.ledger.api_keys import StoredKey
from tollgate_billing.ledger.subscriptions import Subscription, find_subscription
from tollgate_billing.ledger.totals import UsageTotal, shares_by_quality, usage_totals
from tollgate_billing.statements.document import document_of
from tollgate_billing.statements.drafting import draft_now, terms_now, usage_period
from tollgate_core.catalog import Catalog
from tollgate_core.events import rfc3339
from tollgate_core.pricing import Span
from tollgate_core.redis_contract import key_fingerprint


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
            terms = terms_now(connection, catalog)
            draft, period = draft_now(connection, terms, row, now), usage_period(connection, terms, row, now)
            metrics = _metrics(connection, catalog, row, period)
            limits = limit_views(connection, catalog, row, now, key_fingerprint(key.hash))
        return {
            "subscription": row.name,
            "product": row.product,
            "state": row.state,
            "as_of": rfc3339(now),
            "period": view_period(period),
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
