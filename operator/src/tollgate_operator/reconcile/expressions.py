"""Checking expressions against the endpoints they will meet, before any request does."""

import re
from collections.abc import Iterator

from tollgate_core.catalog import Aggregation
from tollgate_core.errors import ExpressionError, QuantityError
from tollgate_core.expressions import CelExpression, Scope, admit_cel, admit_jq, capture_request_part
from tollgate_core.expressions.source import response_headers
from tollgate_core.formats import FORMATS
from tollgate_core.manifests import API, BillableMetric, Endpoint, MetricUsage, RejectionRule, Transformation
from tollgate_core.manifests.api import PATH_PARAMETER
from tollgate_core.metering.aggregation import call_quantity
from tollgate_core.metering.plan import CallVariables, normalised, usage_scope
from tollgate_operator.reconcile.index import Index

_HEADER = re.compile(r"[a-zA-Z0-9_-]+")
#: Anywhere in the text, also where it only looks like one: then an expression is merely not tried.
_MACRO = re.compile(r"\b(all|exists|exists_one|existsOne|map|filter)\b")
REQUEST_SCOPE = Scope(frozenset({"request", "path"}))

Problems = Iterator[tuple[str, ExpressionError]]


def check_rules(transformations: list[Transformation], rejections: list[RejectionRule]) -> Problems:
    """Transformations and rejection rules see the request alone."""
    for i, transformation in enumerate(transformations):
        field = f"spec.transformations.request[{i}]"
        try:
            if transformation.jq is not None:
                admit_jq(transformation.jq)
            if transformation.cel is not None:
                admit_cel(transformation.cel, REQUEST_SCOPE)
        except ExpressionError as error:
            yield f"{field}.{'jq' if transformation.jq is not None else 'cel'}", error
    for i, rule in enumerate(rejections):
        try:
            admit_cel(rule.when, REQUEST_SCOPE)
        except ExpressionError as error:
            yield f"spec.rejectionRules[{i}].when", error


def check_metric_expressions(metric: BillableMetric, position: int, usage: MetricUsage, index: Index) -> Problems:
    """``quantity`` and ``when`` compile for every endpoint they select, and give a number and a bool where that can be
    tried without a request."""
    for selector in usage.endpoints:
        api = index.selected(metric, selector)
        for endpoint in api.spec.endpoints if api else []:
            if selector.endpoints is not None and endpoint.name not in selector.endpoints:
                continue
            assert api is not None  # noqa: S101
            for name, source in (("quantity", usage.quantity), ("when", usage.when)):
                try:
                    _check_expression(name, source, api, endpoint, metric.spec.aggregation)
                except ExpressionError as error:
                    where = f"spec.usage[{position}].{name}"
                    yield where, ExpressionError(f"{error} (endpoint {api.metadata.name}/{endpoint.name})")


def _check_expression(name: str, source: str, api: API, endpoint: Endpoint, aggregation: Aggregation) -> None:
    fmt = FORMATS[endpoint.format] if endpoint.format else None
    expression = admit_cel(source, usage_scope(fmt, frozenset(PATH_PARAMETER.findall(endpoint.path))))
    capture_request_part(expression, [f.usage_function for f in FORMATS.values()] + ["usage"])
    names, dynamic = response_headers(source)
    if dynamic:
        raise ExpressionError("response.headers needs a literal name, so that Envoy's log can carry that header")
    for header in names:
        if not _HEADER.fullmatch(header):  # it becomes a part of Envoy's log format
            raise ExpressionError(f"response.headers: {header!r} is no name of a header")
    reads_body = "response.body" in source or "response.json" in source
    if reads_body and api.spec.metering.mode == "native":
        raise ExpressionError("response.body and response.json need metering.mode: stream")
    # A macro can loop for hours over a list that is written in its own source, and a pattern can be large.
    is_cheap = expression.bounds.input_bytes > 0 and not _MACRO.search(source)
    if expression.roots <= {"response"} and not reads_body and not names and is_cheap:
        _try(name, expression, endpoint, aggregation)


def _try(name: str, expression: CelExpression, endpoint: Endpoint, aggregation: Aggregation) -> None:
    """Evaluate with a made-up usage: finds unknown usage fields and type errors."""
    fmt = FORMATS[endpoint.format] if endpoint.format else None
    variables: dict[str, object] = {"response": CallVariables(200).as_cel()}
    if fmt is None:
        value = expression.evaluate(variables)
    else:
        raw = fmt.estimate(1000, 100)
        functions = {fmt.usage_function: lambda: fmt.usage_fields(raw), "usage": lambda: normalised(fmt, raw)}
        value = expression.evaluate(variables, functions)
    if name == "when" and not isinstance(value, bool):
        raise ExpressionError(f"must give a bool, not {type(value).__name__}")
    if name == "quantity":
        try:
            call_quantity(aggregation, value)
        except QuantityError as error:
            raise ExpressionError(str(error)) from error
