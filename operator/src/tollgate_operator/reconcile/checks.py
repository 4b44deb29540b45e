"""What is wrong with a resource among the others. Pure decisions: each check yields findings that name the field."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from tollgate_core.errors import ExpressionError, Problem
from tollgate_core.manifests import (
    API,
    BillableMetric,
    EndpointSelector,
    PaymentProvider,
    Portal,
    Price,
    Product,
    RejectionRule,
    Secret,
    SecretKeyRef,
    Service,
    Subscription,
    Transformation,
)
from tollgate_core.manifests.parse import Manifest, nearest
from tollgate_core.pricing.checks import (
    currency_problem,
    moment_problems,
    price_problems,
    rival,
    time_zone_problems,
    trial_problems,
)
from tollgate_core.quantity import parse_duration_ms, parse_quantity
from tollgate_operator.reconcile.expressions import check_metric_expressions, check_rules
from tollgate_operator.reconcile.index import Index, age, provider_references, secret_references
from tollgate_operator.reconcile.payment_keys import invalid_value
from tollgate_operator.reconcile.routes import check_routes
from tollgate_operator.reconcile.upstreams import UpstreamPolicy, check_upstream, service_in


@dataclass(frozen=True)
class Finding:
    """``reference``: something it names does not exist, or may not be named; ``fatal``: without that it cannot serve at
    all; ``invalid``: what it names is there, and is not what it should be; ``unusable``: what it names is there, and
    does not serve for an error of its own."""

    problem: Problem
    reference: bool = False
    fatal: bool = True
    permitted: bool = True
    invalid: bool = False
    unusable: bool = False


Key = tuple[str, str]
#: What a schema's pattern lets through, and neither Envoy's numbers nor a calendar can hold.
_LONGEST_HOURS = 8760
_LARGEST_REQUEST = 1 << 40
_ADDING_UP = {"sum", "count"}


def check_all(
    resources: Mapping[Key, Manifest],
    last_good: Mapping[Key, Manifest],
    policy: UpstreamPolicy,
    unusable: Collection[Key] = frozenset(),
) -> dict[Key, list[Finding]]:
    """Findings by resource; a resource without findings is not in the answer. ``unusable`` were found to be wrong
    before."""
    index = Index(resources, unusable)
    found: dict[Key, list[Finding]] = {}
    for key, resource in resources.items():
        check = _CHECKS.get(type(resource))
        findings = list(check(resource, index)) if check else []
        if findings:
            found[key] = findings
    for name, problem in check_routes(index, {key[1] for key in last_good if resources.get(key) == last_good[key]}):
        found.setdefault(("API", name), []).append(Finding(problem))
    for api in index.of_kind(API):
        for problem in check_upstream(api, policy):
            found.setdefault(("API", api.qualified_name), []).append(Finding(problem))
    return found


def check_one(resource: Manifest, others: Mapping[Key, Manifest], policy: UpstreamPolicy) -> list[Finding]:
    """Findings of one resource among ``others``, which may hold its former self."""
    key = (resource.kind, resource.qualified_name)
    index = Index({**others, key: resource})
    check = _CHECKS.get(type(resource))
    findings = list(check(resource, index)) if check else []
    if isinstance(resource, API):
        settled = {name for kind, name in others if kind == "API" and name != key[1]}
        findings += [Finding(problem) for name, problem in check_routes(index, settled) if name == key[1]]
        findings += [Finding(problem) for problem in check_upstream(resource, policy)]
    return findings


def _selectors(
    owner: Manifest, selectors: list[EndpointSelector] | None, index: Index, field: str
) -> Iterator[Finding]:
    for i, selector in enumerate(selectors or []):
        namespace = selector.namespace or owner.metadata.namespace
        api = index.find(API, namespace, selector.api)
        if not index.permits(owner, API, namespace, selector.api):
            yield replace(_not_permitted(owner, API, namespace, selector.api, f"{field}[{i}].namespace"), fatal=False)
            continue
        if api is None:
            yield replace(_absent(API, namespace, selector.api, index, f"{field}[{i}].api"), fatal=False)
            continue
        names = [endpoint.name for endpoint in api.spec.endpoints]
        for j, name in enumerate(selector.endpoints or []):
            if name not in names:
                where = f"{field}[{i}].endpoints[{j}]"
                message = f"API {selector.api!r} has no endpoint {name!r}{nearest(name, names)}"
                yield Finding(Problem(where, message), True, False)


def _not_permitted(owner: Manifest, kind: type[Manifest], namespace: str, name: str, field: str) -> Finding:
    # Not a word on whether it exists: that is the other namespace's own.
    message = f"no ReferenceGrant in namespace {namespace!r} allows this {owner.kind} to use {kind.__name__} {name!r}"
    return Finding(Problem(field, message), reference=True, permitted=False)


def _missing(kind: type[Manifest], namespace: str, name: str, index: Index, field: str) -> Iterator[Finding]:
    if index.find(kind, namespace, name) is None:
        yield _absent(kind, namespace, name, index, field)


def _absent(kind: type[Manifest], namespace: str, name: str, index: Index, field: str) -> Finding:
    """Of what is not found. Who reads that something is not there, though he has just applied it, looks in the wrong
    place."""
    if index.is_unusable(kind, namespace, name):
        message = f"{kind.__name__} {name!r} is invalid itself; mend its own error first"
        return Finding(Problem(field, message), reference=True, unusable=True)
    hint = nearest(name, index.names(kind, namespace))
    return Finding(Problem(field, f"there is no {kind.__name__} {name!r}{hint}"), reference=True)


def _check_api(api: Manifest, index: Index) -> Iterator[Finding]:
    assert isinstance(api, API)  # noqa: S101
    for field, reference in secret_references(api):
        yield from _secret(api, field, reference, index)
    yield from _service(api, index)
    yield from _bounds(api)
    names = [endpoint.name for endpoint in api.spec.endpoints]
    rules: list[tuple[str, Transformation | RejectionRule]] = []
    rules += [("transformations.request", t) for t in api.spec.transformations.request]
    rules += [("rejectionRules", r) for r in api.spec.rejection_rules]
    for label, rule in rules:
        for name in rule.endpoints or []:
            if name not in names:
                message = f"this API has no endpoint {name!r}{nearest(name, names)}"
                yield Finding(Problem(f"spec.{label}.endpoints", message), reference=True)
    yield from _expressions(check_rules(api.spec.transformations.request, api.spec.rejection_rules))


def _secret(owner: Manifest, field: str, reference: SecretKeyRef, index: Index) -> Iterator[Finding]:
    namespace = reference.namespace or owner.metadata.namespace
    if not index.permits(owner, Secret, namespace, reference.name):
        yield _not_permitted(owner, Secret, namespace, reference.name, f"{field}.namespace")
    elif index.secret_value(owner, reference) is None:
        where = "this namespace" if namespace == owner.metadata.namespace else f"namespace {namespace!r}"
        secret = index.find(Secret, namespace, reference.name)
        if secret is not None and reference.key in secret.data:
            message = f"the key {reference.key!r} of Secret {reference.name!r} in {where} is no text"
        else:
            message = f"there is no Secret {reference.name!r} with key {reference.key!r} in {where}"
        yield Finding(Problem(field, message), reference=True)


def _bounds(api: API) -> Iterator[Finding]:
    """Values that would stop all of reconcile, not only this API, if they came to where Envoy's resources are made."""
    upstream = api.spec.upstream
    try:
        parts = urlsplit(upstream.address(api.metadata.namespace))
        _ = parts.hostname, parts.port
    except ValueError as error:
        yield Finding(Problem("spec.upstream.url", f"is no URL: {error}"))
    yield from _duration("spec.upstream.timeout", upstream.timeout)
    yield from _duration("spec.upstream.connectTimeout", upstream.connect_timeout)
    if not 1 <= parse_quantity(api.spec.max_request_bytes) <= _LARGEST_REQUEST:
        yield Finding(Problem("spec.maxRequestBytes", "must be at least 1 and at most 1Ti"))


def _duration(field: str, text: str) -> Iterator[Finding]:
    if parse_duration_ms(text) > _LONGEST_HOURS * 3_600_000:
        yield Finding(Problem(field, f"must be at most {_LONGEST_HOURS}h"))


def _service(api: API, index: Index) -> Iterator[Finding]:
    """A Service that is away for a moment takes nothing down: Envoy answers for it until it is back."""
    reference = api.spec.upstream.service_ref
    if reference is None:
        named = service_in(api.spec.upstream.url or "", index.namespaces_with_services)
        if named and not index.permits(api, Service, *named):
            yield _not_permitted(api, Service, *named, "spec.upstream.url")
        return
    field, namespace = "spec.upstream.serviceRef", reference.namespace or api.metadata.namespace
    if not index.permits(api, Service, namespace, reference.name):
        yield _not_permitted(api, Service, namespace, reference.name, f"{field}.namespace")
        return
    service = index.find(Service, namespace, reference.name)
    if service is None:
        hint = nearest(reference.name, index.names(Service, namespace))
        yield Finding(Problem(f"{field}.name", f"there is no Service {reference.name!r}{hint}"), True, False)
    elif reference.port not in [port.port for port in service.spec.ports]:
        known = ", ".join(str(port.port) for port in service.spec.ports)
        message = f"Service {reference.name!r} has no port {reference.port}; its ports: {known}"
        yield Finding(Problem(f"{field}.port", message), True, False)


def _check_product(product: Manifest, index: Index) -> Iterator[Finding]:
    assert isinstance(product, Product)  # noqa: S101
    spec, namespace = product.spec, product.metadata.namespace
    yield from _selectors(product, spec.endpoints, index, "spec.endpoints")
    for i, limit in enumerate(spec.rate_limits):
        yield from _selectors(product, limit.endpoints, index, f"spec.rateLimits[{i}].endpoints")
        yield from _duration(f"spec.rateLimits[{i}].window", limit.window or "1s")
    for i, metric_limit in enumerate(spec.limits):
        where = f"spec.limits[{i}].metric"
        yield from _missing(BillableMetric, namespace, metric_limit.metric, index, where)
        metric = index.find(BillableMetric, namespace, metric_limit.metric)
        bounds = metric_limit.adjustable
        if bounds and not parse_quantity(bounds.min) <= parse_quantity(metric_limit.limit) <= parse_quantity(
            bounds.max
        ):
            message = f"the limit, {metric_limit.limit}, must be between {bounds.min} and {bounds.max}"
            yield Finding(Problem(f"spec.limits[{i}].adjustable", message))
        if metric and metric.spec.aggregation not in _ADDING_UP:
            message = f"a limit needs a metric whose calls add up (sum or count), not {metric.spec.aggregation}"
            yield Finding(Problem(where, message))
    if spec.payment_provider:
        for finding in _missing(PaymentProvider, namespace, spec.payment_provider, index, "spec.paymentProvider"):
            yield replace(finding, fatal=False)  # what is due waits for it; calls do not
    for i, target in enumerate(spec.switches):
        for finding in _missing(Product, namespace, target, index, f"spec.switches[{i}]"):
            yield replace(finding, fatal=False)
    top_ups = spec.wallet.top_ups if spec.wallet else None
    if top_ups and parse_quantity(top_ups.min) > parse_quantity(top_ups.max):
        yield Finding(Problem("spec.wallet.topUps.max", f"must be at least min, {top_ups.min}"))
    granted = {i.rsplit("/", 1)[1] for i in index.endpoint_ids(product, spec.endpoints)}
    for i, transformation in enumerate(spec.transformations.request):
        for name in set(transformation.endpoints or []) - granted:
            message = f"this product grants no endpoint {name!r}{nearest(name, granted)}"
            yield Finding(Problem(f"spec.transformations.request[{i}].endpoints", message), reference=True)
    yield from _expressions(check_rules(spec.transformations.request, []))
    yield from map(Finding, time_zone_problems("spec.timeZone", spec.time_zone))
    yield from map(Finding, trial_problems(spec.trial_days, index.prices(product)))


def _check_metric(metric: Manifest, index: Index) -> Iterator[Finding]:
    assert isinstance(metric, BillableMetric)  # noqa: S101
    for i, usage in enumerate(metric.spec.usage):
        yield from _selectors(metric, usage.endpoints, index, f"spec.usage[{i}].endpoints")
        yield from _expressions(check_metric_expressions(metric, i, usage, index))


def _check_price(price: Manifest, index: Index) -> Iterator[Finding]:
    assert isinstance(price, Price)  # noqa: S101
    yield from map(Finding, price_problems(price.spec))
    yield from map(Finding, moment_problems("spec.effectiveFrom", price.spec.effective_from))
    yield from _missing(Product, price.metadata.namespace, price.spec.product, index, "spec.product")
    if price.spec.metric is None:
        return
    yield from _missing(BillableMetric, price.metadata.namespace, price.spec.metric, index, "spec.metric")
    product = index.find(Product, price.metadata.namespace, price.spec.product)
    metric = index.find(BillableMetric, price.metadata.namespace, price.spec.metric)
    if product and product.spec.wallet and metric and metric.spec.aggregation not in _ADDING_UP:
        message = (
            f"{product.metadata.name!r} is prepaid, and credit can only be held for calls that add up (sum or count)"
        )
        yield Finding(Problem("spec.metric", f"{message}, not for {metric.spec.aggregation}"))
    for other in index.rivals(price):
        if rival(price, other) and age(other) < age(price):
            message = (
                f"Price {other.metadata.name!r} already prices {price.spec.metric!r} of {price.spec.product!r} in "
                f"{price.spec.currency}; give one of them a condition (when)"
            )
            yield Finding(Problem("spec.metric", message))


def _check_subscription(subscription: Manifest, index: Index) -> Iterator[Finding]:
    assert isinstance(subscription, Subscription)  # noqa: S101
    yield from _duration("spec.keyRotationOverlap", subscription.spec.key_rotation_overlap)
    yield from map(Finding, moment_problems("spec.startsAt", subscription.spec.starts_at))
    namespace, name = subscription.spec.product_namespace or subscription.metadata.namespace, subscription.spec.product
    if not index.permits(subscription, Product, namespace, name):
        yield _not_permitted(subscription, Product, namespace, name, "spec.productNamespace")
        return
    yield from _missing(Product, namespace, name, index, "spec.product")
    yield from map(Finding, time_zone_problems("spec.timeZone", subscription.spec.time_zone))
    product = index.find(Product, namespace, name)
    if product:
        yield from map(Finding, currency_problem(subscription.spec.currency, index.prices(product)))


def _check_provider(provider: Manifest, index: Index) -> Iterator[Finding]:
    """Nothing is fatal: without its keys it waits, and is still who collects."""
    assert isinstance(provider, PaymentProvider)  # noqa: S101
    for field, reference, _ in provider_references(provider):
        for finding in _secret(provider, field, reference, index):
            yield replace(finding, fatal=False)
        value = index.secret_value(provider, reference)
        problem = invalid_value(provider, field, value) if value is not None else ""
        if problem:
            message = f"the key {reference.key!r} of Secret {reference.name!r} {problem}"
            yield Finding(Problem(field, message), reference=True, fatal=False, invalid=True)


def _check_portal(portal: Manifest, index: Index) -> Iterator[Finding]:
    assert isinstance(portal, Portal)  # noqa: S101
    if portal.spec.oidc is not None:
        reference = portal.spec.oidc.client_secret_key_ref
        yield from _secret(portal, "spec.oidc.clientSecretKeyRef", reference, index)


def _expressions(problems: Iterator[tuple[str, ExpressionError]]) -> Iterator[Finding]:
    for field, error in problems:
        yield Finding(Problem(field, str(error)))


_CHECKS: Mapping[type[Manifest], Callable[[Manifest, Index], Iterator[Finding]]] = {
    API: _check_api,
    Product: _check_product,
    BillableMetric: _check_metric,
    Price: _check_price,
    Subscription: _check_subscription,
    PaymentProvider: _check_provider,
    Portal: _check_portal,
}
