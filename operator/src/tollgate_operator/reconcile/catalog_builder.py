"""From effective resources to the catalog."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tollgate_core import catalog as c
from tollgate_core.manifests import (
    API,
    BillableMetric,
    Dunning,
    MetricLimit,
    PaymentProvider,
    Price,
    Product,
    RateLimit,
    Subscription,
    TopUps,
    Transformation,
)
from tollgate_core.manifests.base import Model, qualified_name
from tollgate_core.quantity import parse_duration_ms, parse_quantity
from tollgate_operator.reconcile.index import Index, endpoint_id
from tollgate_operator.reconcile.routes import full_path, path_pattern


def version_of(spec: Model, *terms: str) -> str:
    """12 hexadecimal digits that name the content of a spec, and of other terms that belong to it. How it is called for
    people makes no new version."""
    content = spec.model_dump_json(by_alias=True, exclude_defaults=True, exclude={"display_name", "description"})
    return hashlib.sha256("\n".join((content, *terms)).encode()).hexdigest()[:12]


def build_catalog(index: Index) -> c.Catalog:
    """The snapshot; lists are sorted by name, so that equal resources give an equal hash."""
    metrics = list(index.of_kind(BillableMetric))
    aggregations: dict[str, c.Aggregation] = {metric.qualified_name: metric.spec.aggregation for metric in metrics}
    prices = {price.qualified_name: _price(price, aggregations) for price in index.of_kind(Price)}
    return c.Catalog(
        apis=tuple(_api(api) for api in index.of_kind(API)),
        metrics=tuple(_metric(metric, index) for metric in metrics),
        products=tuple(_product(product, prices, index) for product in index.of_kind(Product)),
        prices=tuple(prices.values()),
        subscriptions=tuple(_subscription(s) for s in index.of_kind(Subscription)),
        payment_providers=tuple(_payment_provider(p) for p in index.of_kind(PaymentProvider)),
    )


def _api(api: API) -> c.Api:
    spec = api.spec
    return c.Api(
        name=api.qualified_name,
        mode=spec.metering.mode,
        on_incomplete=spec.metering.on_incomplete,
        force_usage=spec.force_usage,
        max_request_bytes=int(parse_quantity(spec.max_request_bytes)),
        default_max_output_tokens=spec.metering.default_max_output_tokens,
        endpoints=tuple(
            c.Endpoint(
                id=endpoint_id(api.qualified_name, endpoint.name),
                method=endpoint.method,
                path=full_path(api, endpoint),
                pattern=path_pattern(full_path(api, endpoint)),
                format=endpoint.format,
            )
            for endpoint in spec.endpoints
        ),
        transformations=tuple(
            _transformation(t, [endpoint_id(api.qualified_name, e.name) for e in spec.endpoints])
            for t in spec.transformations.request
        ),
        rejections=tuple(
            c.Rejection(
                when=rule.when,
                status=rule.status,
                message=rule.message,
                endpoints=tuple(endpoint_id(api.qualified_name, name) for name in rule.endpoints or []),
            )
            for rule in spec.rejection_rules
        ),
    )


def _transformation(transformation: Transformation, among: Sequence[str]) -> c.Transformation:
    """``among`` are the ids that its endpoint names can mean: the API's own, or all that a product grants."""
    names = transformation.endpoints
    kind = next((k for k in ("value", "jq", "cel") if getattr(transformation, k) is not None), "none")
    return c.Transformation(
        target=transformation.target,
        action=transformation.action,
        kind=kind,  # type: ignore[arg-type]
        name=transformation.name or "",
        text=getattr(transformation, kind, None) or "",
        endpoints=tuple(i for i in among if i.rsplit("/", 1)[1] in names) if names else (),
    )


def _metric(metric: BillableMetric, index: Index) -> c.Metric:
    return c.Metric(
        name=metric.qualified_name,
        unit=metric.spec.unit,
        display_name=metric.spec.display_name or "",
        aggregation=metric.spec.aggregation,
        usage=tuple(
            c.MetricUsage(
                endpoints=index.endpoint_ids(metric, usage.endpoints), quantity=usage.quantity, when=usage.when
            )
            for usage in metric.spec.usage
        ),
    )


def _product(product: Product, prices: Mapping[str, c.Price], index: Index) -> c.Product:
    spec, namespace = product.spec, product.metadata.namespace
    granted = index.endpoint_ids(product, spec.endpoints)
    return c.Product(
        name=product.qualified_name,
        version=version_of(spec),
        display_name=spec.display_name or "",
        endpoints=granted,
        rate_limits=tuple(_rate_limit(limit, product, index) for limit in spec.rate_limits),
        limits=tuple(found for limit in spec.limits for found in _metric_limits(limit, namespace)),
        max_keys=spec.max_keys,
        unpriced=spec.unpriced,
        time_zone="" if spec.time_zone == "UTC" else spec.time_zone,
        trial_days=spec.trial_days,
        overdraft=_plain(spec.wallet.overdraft) if spec.wallet else "",
        low_balance=_plain(spec.wallet.low_balance) if spec.wallet and spec.wallet.low_balance else "",
        clamp_output=spec.wallet is not None and spec.wallet.clamp_output,
        top_ups=_top_ups(spec.wallet.top_ups) if spec.wallet else None,
        dunning=_dunning(spec.dunning) if spec.dunning else None,
        payment_provider=qualified_name(namespace, spec.payment_provider) if spec.payment_provider else "",
        switches=tuple(qualified_name(namespace, name) for name in spec.switches),
        transformations=tuple(_transformation(t, granted) for t in spec.transformations.request),
        prices=tuple(
            c.PriceReference(metric=price.metric, name=price.name, version=price.version)
            for price in (prices[found.qualified_name] for found in index.prices(product))
            if price.metric
        ),
    )


def _metric_limits(limit: MetricLimit, namespace: str) -> Iterator[c.MetricLimit]:
    """Of the subscription, and of each of its keys."""
    bounds = limit.adjustable
    same: dict[str, Any] = {
        "metric": qualified_name(namespace, limit.metric),
        "interval": limit.period.interval,
        "interval_count": limit.period.interval_count,
        "hold": _float(limit.hold),
        "soft": limit.enforcement == "soft",
    }
    yield c.MetricLimit(
        limit=_float(limit.limit),
        notify_at=tuple(sorted(limit.notify_at)),
        least=_float(bounds.min) if bounds else 0,
        most=_float(bounds.max) if bounds else 0,
        **same,
    )
    if limit.limit_per_key:
        yield c.MetricLimit(limit=_float(limit.limit_per_key), per_key=True, **same)


def _dunning(dunning: Dunning) -> c.Dunning:
    return c.Dunning(
        grace_days=dunning.grace_days,
        throttle_days=dunning.throttle_days,
        requests_per_minute=dunning.requests_per_minute,
        cancel_days=-1 if dunning.cancel_days is None else dunning.cancel_days,
    )


def _payment_provider(provider: PaymentProvider) -> c.PaymentProvider:
    """Its secrets go another way: nothing of them is in a catalog."""
    spec = provider.spec
    return c.PaymentProvider(
        name=provider.qualified_name,
        kind=spec.kind,
        account=spec.stripe.account_id or "" if spec.stripe else "",
        automatic_tax=spec.stripe is not None and spec.stripe.automatic_tax,
        sandbox=spec.paddle is not None and spec.paddle.environment == "sandbox",
        api_url=next((options.api_url or "" for options in (spec.stripe, spec.paddle) if options), ""),
        days_until_due=spec.manual.days_until_due if spec.manual else 0,
    )


def _float(quantity: str | None) -> float:
    return float(parse_quantity(quantity)) if quantity else 0


def _top_ups(bounds: TopUps) -> c.TopUps:
    return c.TopUps(
        least=_plain(bounds.min),
        most=_plain(bounds.max),
        automatic_per_day=bounds.automatic_per_day,
        automatic_per_month=_plain(bounds.automatic_per_month),
    )


def _rate_limit(limit: RateLimit, product: Product, index: Index) -> c.RateLimit:
    ids = index.endpoint_ids(product, limit.endpoints)
    if limit.concurrency is not None:
        per_key = limit.scope == "key"
        return c.RateLimit(
            name=limit.name, kind="concurrency", amount=limit.concurrency, endpoints=ids, per_key=per_key
        )
    amount = float(parse_quantity(limit.requests or limit.tokens or "0"))
    return c.RateLimit(
        name=limit.name,
        kind="requests" if limit.requests else "tokens",
        amount=amount,
        window_ms=parse_duration_ms(limit.window or "1s"),
        burst=float(parse_quantity(limit.burst)) if limit.burst else amount,
        endpoints=ids,
        per_key=limit.scope == "key",
    )


def _price(price: Price, aggregations: Mapping[str, c.Aggregation]) -> c.Price:
    spec, namespace = price.spec, price.metadata.namespace
    metric = qualified_name(namespace, spec.metric) if spec.metric else ""
    aggregation = aggregations.get(metric, "sum")
    billing, period = spec.billing_period, spec.aggregation_period
    return c.Price(
        name=price.qualified_name,
        # As it was before there were others: a version that is pinned keeps its name.
        version=version_of(spec, *([] if aggregation == "sum" else [aggregation])),
        product=qualified_name(namespace, spec.product),
        metric=metric,
        aggregation=aggregation,
        currency=spec.currency,
        model=spec.model,
        amount=_plain(spec.amount or "0"),
        per=_plain(spec.per),
        included=_plain(spec.included),
        interval=billing.interval,
        interval_count=billing.interval_count,
        display_name=spec.display_name or "",
        one_off=spec.type == "oneOff",
        tiers=tuple(
            c.PriceTier(
                up_to=_plain(tier.up_to) if tier.up_to else "",
                amount=_plain(tier.amount),
                flat_amount=_plain(tier.flat_amount),
            )
            for tier in spec.tiers
        ),
        aggregation_interval=period.interval if period else None,
        aggregation_interval_count=period.interval_count if period else 1,
        in_arrears=spec.billing_mode == "inArrears",
        seats=spec.seats.default if spec.seats else 1,
        min_seats=spec.seats.min if spec.seats else 1,
        max_seats=spec.seats.max if spec.seats else 1,
        when=spec.when or "",
        priority=spec.priority,
        trial_units=_plain(spec.trial_units),
        cost=_plain(spec.cost.amount) if spec.cost else "",
        cost_per=_plain(spec.cost.per) if spec.cost else "1",
        effective_from=spec.effective_from.isoformat() if spec.effective_from else "",
    )


def _plain(quantity: str) -> str:
    """Digits without a suffix."""
    return str(parse_quantity(quantity))


def _subscription(subscription: Subscription) -> c.Subscription:
    spec = subscription.spec
    return c.Subscription(
        name=subscription.qualified_name,
        product=subscribed_product(subscription),
        customer=spec.customer.id,
        customer_name=spec.customer.display_name or "",
        starts_at=spec.starts_at.isoformat() if spec.starts_at else "",
        suspended=spec.suspended,
        currency=spec.currency or "",
        time_zone=spec.time_zone or "",
        follow_prices=spec.follow_prices,
    )


def subscribed_product(subscription: Subscription) -> str:
    """The qualified name of what is subscribed to."""
    return qualified_name(
        subscription.spec.product_namespace or subscription.metadata.namespace, subscription.spec.product
    )
