"""Routes of the provider API for a subscription's own limits."""

from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from tollgate_billing.http.changes import Preview, changing
from tollgate_billing.http.limit_views import limit_views, product_of
from tollgate_billing.http.problems import Problem
from tollgate_billing.http.services import Services
from tollgate_billing.http.subscriptions import existing, locked
from tollgate_billing.http.views import Json
from tollgate_billing.ledger.limits import drop_own_limit, put_own_limit
from tollgate_billing.ledger.subscriptions import Subscription
from tollgate_core.catalog import LimitScope, MetricLimit, is_adjustable, scope_of
from tollgate_core.errors import QuantityError
from tollgate_core.quantity import format_decimal, parse_quantity, to_decimal


class OwnLimitRequest(BaseModel):
    """``limit`` in units of the metric."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[str, Field(max_length=50)]
    scope: LimitScope = "subscription"


def limit_routes(services: Services) -> APIRouter:
    """What is limited, and a subscription's own numbers. ``scope`` chooses where a metric is limited twice."""
    router = APIRouter()

    @router.get("/subscriptions/{name:path}/limits")
    def limits(name: str) -> Json:
        with services.database.read() as connection:
            return {"limits": limit_views(connection, services.catalog.current, existing(connection, name), _now())}

    @router.get("/subscriptions/{name:path}/limits/{metric:path}")
    def limit(name: str, metric: str, scope: LimitScope = "subscription") -> Json:
        with services.database.read() as connection:
            row = existing(connection, name)
            return _view(connection, services, row, _find(services, row, metric, scope), _now())

    @router.put("/subscriptions/{name:path}/limits/{metric:path}")
    def put(name: str, metric: str, asked: OwnLimitRequest, preview: Preview = False) -> Json:
        with changing(services, preview) as connection:
            row = locked(connection, name)
            found = _find(services, row, metric, asked.scope)
            put_own_limit(connection, row, found, format_decimal(_within(found, asked.limit, row.product)), _now())
            return _view(connection, services, row, found, _now())

    @router.delete("/subscriptions/{name:path}/limits/{metric:path}")
    def reset(name: str, metric: str, scope: LimitScope = "subscription", preview: Preview = False) -> Json:
        with changing(services, preview) as connection:
            row = locked(connection, name)
            found = _find(services, row, metric, scope)
            drop_own_limit(connection, row, found)
            return _view(connection, services, row, found, _now())

    def _now() -> int:
        return services.clock()

    return router


def _find(services: Services, row: Subscription, metric: str, scope: LimitScope) -> MetricLimit:
    product = product_of(services.catalog.current, row)
    for limit in product.limits if product else ():
        if (limit.metric, scope_of(limit)) == (metric, scope):
            return limit
    raise Problem(404, f"the product {row.product} has no limit of {metric} by {scope}")


def _within(limit: MetricLimit, asked: str, product: str) -> Decimal:
    if not is_adjustable(limit):
        which = f"the limit of {limit.metric} {'of each key ' if limit.per_key else ''}is not adjustable"
        raise Problem(409, f"{which} in the product {product}")
    try:
        units = parse_quantity(asked)
    except QuantityError as error:
        raise Problem(422, f"limit: {error}") from error
    least, most = to_decimal(limit.least), to_decimal(limit.most)
    if not least <= units <= most:
        bounds = f"from {format_decimal(least)} to {format_decimal(most)}"
        raise Problem(422, f"limit: {asked} is not within the bounds of {limit.metric}, {bounds}")
    return units


def _view(connection: Connection, services: Services, row: Subscription, limit: MetricLimit, now_ms: int) -> Json:
    views = limit_views(connection, services.catalog.current, row, now_ms)
    return next(v for v in views if (v["metric"], v["scope"]) == (limit.metric, scope_of(limit)))
