"""What is wrong with a resource among the others. Pure decisions: each check yields findings that name the field."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from tollgate_core.errors import ExpressionError, Problem
from tollgate_core.manifests import (
    API,
    BillableMetric,
    EndpointSelector,
    Price,
    Product,
    RejectionRule,
    Subscription,
    Transformation,
)
from tollgate_core.manifests.parse import Manifest, nearest
from tollgate_operator.reconcile.expressions import check_metric_expressions, check_rules
from tollgate_operator.reconcile.index import Index, secret_references
from tollgate_operator.reconcile.routes import check_routes


@dataclass(frozen=True)
class Finding:
    """``reference``: something it names does not exist; ``fatal``: without that it cannot serve at all."""

    problem: Problem
    reference: bool = False
    fatal: bool = True


Key = tuple[str, str]


def check_all(resources: Mapping[Key, Manifest], last_good: Mapping[Key, Manifest]) -> dict[Key, list[Finding]]:
    """Findings by resource; a resource without findings is not in the answer."""
    index = Index(resources)
    found: dict[Key, list[Finding]] = {}
    for key, resource in resources.items():
        check = _CHECKS.get(type(resource))
        findings = list(check(resource, index)) if check else []
        if findings:
            found[key] = findings
    for name, problem in check_routes(index, {key[1] for key in last_good if resources.get(key) == last_good[key]}):
        found.setdefault(("API", name), []).append(Finding(problem))
    return found


def check_one(resource: Manifest, others: Mapping[Key, Manifest]) -> list[Finding]:
    """Findings of one resource among ``others``, which may hold its former self."""
    key = (resource.kind, resource.qualified_name)
    index = Index({**others, key: resource})
    check = _CHECKS.get(type(resource))
    findings = list(check(resource, index)) if check else []
    if isinstance(resource, API):
        settled = {name for kind, name in others if kind == "API" and name != key[1]}
        findings += [Finding(problem) for name, problem in check_routes(index, settled) if name == key[1]]
    return findings


def _selectors(
    owner: Manifest, selectors: list[EndpointSelector] | None, index: Index, field: str
) -> Iterator[Finding]:
    namespace = owner.metadata.namespace
    for i, selector in enumerate(selectors or []):
        api = index.find(API, namespace, selector.api)
        if api is None:
            hint = nearest(selector.api, index.names(API, namespace))
            yield Finding(Problem(f"{field}[{i}].api", f"there is no API {selector.api!r}{hint}"), True, False)
            continue
        names = [endpoint.name for endpoint in api.spec.endpoints]
        for j, name in enumerate(selector.endpoints or []):
            if name not in names:
                where = f"{field}[{i}].endpoints[{j}]"
                message = f"API {selector.api!r} has no endpoint {name!r}{nearest(name, names)}"
                yield Finding(Problem(where, message), True, False)


def _missing(kind: type[Manifest], namespace: str, name: str, index: Index, field: str) -> Iterator[Finding]:
    if index.find(kind, namespace, name) is None:
        hint = nearest(name, index.names(kind, namespace))
        yield Finding(Problem(field, f"there is no {kind.__name__} {name!r}{hint}"), reference=True)


def _check_api(api: Manifest, index: Index) -> Iterator[Finding]:
    assert isinstance(api, API)  # noqa: S101
    for field, reference in secret_references(api):
        if index.secret_value(api.metadata.namespace, reference) is None:
            message = f"there is no Secret {reference.name!r} with key {reference.key!r} in this namespace"
            yield Finding(Problem(field, message), reference=True)
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


def _check_product(product: Manifest, index: Index) -> Iterator[Finding]:
    assert isinstance(product, Product)  # noqa: S101
    spec, namespace = product.spec, product.metadata.namespace
    yield from _selectors(product, spec.endpoints, index, "spec.endpoints")
    for i, limit in enumerate(spec.rate_limits):
        yield from _selectors(product, limit.endpoints, index, f"spec.rateLimits[{i}].endpoints")
    for i, metric_limit in enumerate(spec.limits):
        yield from _missing(BillableMetric, namespace, metric_limit.metric, index, f"spec.limits[{i}].metric")
    granted = {i.rsplit("/", 1)[1] for i in index.endpoint_ids(product, spec.endpoints)}
    for i, transformation in enumerate(spec.transformations.request):
        for name in set(transformation.endpoints or []) - granted:
            message = f"this product grants no endpoint {name!r}{nearest(name, granted)}"
            yield Finding(Problem(f"spec.transformations.request[{i}].endpoints", message), reference=True)
    yield from _expressions(check_rules(spec.transformations.request, []))


def _check_metric(metric: Manifest, index: Index) -> Iterator[Finding]:
    assert isinstance(metric, BillableMetric)  # noqa: S101
    for i, usage in enumerate(metric.spec.usage):
        yield from _selectors(metric, usage.endpoints, index, f"spec.usage[{i}].endpoints")
        yield from _expressions(check_metric_expressions(metric, i, usage, index))


def _check_price(price: Manifest, index: Index) -> Iterator[Finding]:
    assert isinstance(price, Price)  # noqa: S101
    yield from _missing(Product, price.metadata.namespace, price.spec.product, index, "spec.product")
    if price.spec.metric is None:
        return
    yield from _missing(BillableMetric, price.metadata.namespace, price.spec.metric, index, "spec.metric")
    for other in index.rivals(price):
        if other.metadata.name < price.metadata.name:
            message = f"Price {other.metadata.name!r} already prices {price.spec.metric!r} of {price.spec.product!r}"
            yield Finding(Problem("spec.metric", message))


def _check_subscription(subscription: Manifest, index: Index) -> Iterator[Finding]:
    assert isinstance(subscription, Subscription)  # noqa: S101
    yield from _missing(Product, subscription.metadata.namespace, subscription.spec.product, index, "spec.product")


def _expressions(problems: Iterator[tuple[str, ExpressionError]]) -> Iterator[Finding]:
    for field, error in problems:
        yield Finding(Problem(field, str(error)))


_CHECKS: Mapping[type[Manifest], Callable[[Manifest, Index], Iterator[Finding]]] = {
    API: _check_api,
    Product: _check_product,
    BillableMetric: _check_metric,
    Price: _check_price,
    Subscription: _check_subscription,
}
