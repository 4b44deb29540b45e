"""What a call of an endpoint counts: its metrics' expressions, compiled once for a catalog."""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache, cached_property
from typing import Any, cast

from tollgate_core.catalog import Aggregation, Api, Catalog, Endpoint, Metric, Price, Product
from tollgate_core.errors import ExpressionError, QuantityError
from tollgate_core.expressions import (
    Capture,
    CapturedExpression,
    CelExpression,
    Scope,
    capture_request_part,
    compile_cel,
)
from tollgate_core.expressions.source import response_headers
from tollgate_core.formats import FORMATS, UsageFormat
from tollgate_core.metering.aggregation import call_quantity, combine
from tollgate_core.quantity import from_micros, to_micros

_USAGE_FUNCTIONS = frozenset({"usage", *(f.usage_function for f in FORMATS.values())})
#: A captured value travels with the request through Envoy and into its log: it must stay small.
MAX_CAPTURE_BYTES = 2048


def usage_scope(fmt: UsageFormat | None, path_params: frozenset[str]) -> Scope:
    """What a metric's expression may name on an endpoint of this format."""
    own = frozenset({"usage", fmt.usage_function}) if fmt else frozenset[str]()
    reading = (
        f"this endpoint's format is {fmt.name}, use {fmt.usage_function}()" if fmt else "this endpoint has no format"
    )
    forbidden = {name: f"{name}() cannot be used: {reading}" for name in _USAGE_FUNCTIONS - own}
    return Scope(frozenset({"request", "response", "path"}), own, path_params, forbidden)


@dataclass(frozen=True)
class CallVariables:
    """What the expressions see of a response."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes | None = None
    json: Any = None

    def as_cel(self) -> dict[str, object]:
        """The ``response`` variable; body and json are absent where they were not kept."""
        response: dict[str, object] = {"statusCode": self.status, "headers": dict(self.headers)}
        if self.body is not None:
            response["body"] = self.body.decode(errors="replace")
        if self.json is not None:
            response["json"] = self.json
        return response


@dataclass(frozen=True)
class Measured:
    """Quantities by metric, exact to a millionth, and why a metric has none."""

    quantities: dict[str, Decimal]
    unmetered: dict[str, str]


@dataclass(frozen=True)
class _Rule:
    metric: str
    aggregation: Aggregation
    quantity: CapturedExpression
    when: CapturedExpression


@dataclass(frozen=True)
class Question:
    """An expression to evaluate; the answer is its value, or an ExpressionError."""

    metric: str
    expression: CelExpression
    variables: Mapping[str, object]
    functions: Mapping[str, Callable[[], object]]

    def is_cheap(self) -> bool:
        """Whether it needs no deadline."""
        expression = self.expression
        values = {name: self.functions[name]() for name in expression.functions & self.functions.keys()}
        return expression.bounds.allow({**expression.needed(self.variables), **values})


class Measurement:
    """The quantities of one call, question by question."""

    def __init__(
        self,
        rules: "tuple[_Rule, ...]",
        variables: Mapping[str, object],
        functions: Mapping[str, Callable[[], object]],
    ) -> None:
        self._rules = rules
        self._variables = variables
        self._functions = functions

    def is_cheap(self) -> bool:
        """Whether no question needs a deadline."""
        expressions = [e.rest for rule in self._rules for e in (rule.when, rule.quantity)]
        return all(Question("", e, self._variables, self._functions).is_cheap() for e in expressions)

    def run(self) -> Measured:
        """At once, without a deadline."""
        steps = self.steps()
        try:
            question = next(steps)
            while True:
                answer: object
                try:
                    answer = question.expression.evaluate(question.variables, question.functions)
                except ExpressionError as error:
                    answer = error
                question = steps.send(answer)
        except StopIteration as done:
            return cast("Measured", done.value)

    def steps(self) -> Generator[Question, object, Measured]:
        """Asks the questions whose answers matter; returns what they come to."""
        quantities: dict[str, Decimal] = {}
        unmetered: dict[str, str] = {}
        for rule in self._rules:
            try:
                applies = yield from self._ask(rule.metric, rule.when.rest)
                if not isinstance(applies, bool):
                    raise ExpressionError(f"when must give a bool, not {type(applies).__name__}")
                if not applies:
                    continue
                value = yield from self._ask(rule.metric, rule.quantity.rest)
                number = from_micros(to_micros(call_quantity(rule.aggregation, value)))
                quantities[rule.metric] = combine(rule.aggregation, quantities.get(rule.metric), number)
            except (ExpressionError, QuantityError) as error:
                unmetered[rule.metric] = str(error)[:300]
        return Measured(quantities, unmetered)

    def _ask(self, metric: str, expression: CelExpression) -> Generator[Question, object, object]:
        answer = yield Question(metric, expression, self._variables, self._functions)
        if isinstance(answer, ExpressionError):
            raise answer
        return answer


class EndpointPlan:
    """The rules of one endpoint. Pure; safe to share between streams."""

    def __init__(self, api: Api, endpoint: Endpoint, metrics: tuple[Metric, ...]) -> None:
        self.api = api
        self.endpoint = endpoint
        self.format = FORMATS[endpoint.format] if endpoint.format else None
        scope = usage_scope(self.format, frozenset(_group_names(endpoint.pattern)))
        self._rules = tuple(
            _Rule(metric.name, metric.aggregation, self._split(usage.quantity, scope), self._split(usage.when, scope))
            for metric in metrics
            for usage in metric.usage
            if endpoint.id in usage.endpoints
        )

    @staticmethod
    def _split(source: str, scope: Scope) -> CapturedExpression:
        return capture_request_part(compile_cel(source, scope), _USAGE_FUNCTIONS)

    @cached_property
    def captures(self) -> tuple[Capture, ...]:
        """What the gate must evaluate, each once."""
        found = {c.key: c for rule in self._rules for c in (*rule.quantity.captures, *rule.when.captures)}
        return tuple(found.values())

    @cached_property
    def metrics(self) -> frozenset[str]:
        """Names of the metrics that a call of this endpoint can count towards."""
        return frozenset(rule.metric for rule in self._rules)

    @cached_property
    def response_headers(self) -> frozenset[str]:
        """Names of the response headers that an expression reads."""
        sources = [e.rest.source for rule in self._rules for e in (rule.quantity, rule.when)]
        return frozenset(name for source in sources for name in response_headers(source)[0])

    @cached_property
    def needs_response_body(self) -> bool:
        """Whether an expression reads ``response.body`` or ``response.json``."""
        sources = [e.rest.source for rule in self._rules for e in (rule.quantity, rule.when)]
        return any("response.body" in source or "response.json" in source for source in sources)

    @cached_property
    def usage_functions(self) -> frozenset[str]:
        """Names of the usage functions that an expression calls; none where calls cost the same whatever they use."""
        called = (e.rest.functions for rule in self._rules for e in (rule.quantity, rule.when))
        return _USAGE_FUNCTIONS & frozenset[str]().union(*called)

    def measure(
        self, usage: Mapping[str, Any] | None, captured: Mapping[str, Any], response: CallVariables
    ) -> Measured:
        """Every metric's quantity of one call; rules of one metric add up."""
        return self.measurement(usage, captured, response).run()

    def measurement(
        self,
        usage: Mapping[str, Any] | None,
        captured: Mapping[str, Any],
        response: CallVariables,
        dimensions: Mapping[str, int] | None = None,
    ) -> "Measurement":
        """The same, to be run where and when the caller decides. ``dimensions`` are what ``usage()`` gives, where that
        is to be something else than what the raw usage comes to."""
        variables: dict[str, object] = {"captured": dict(captured), "response": response.as_cel()}
        functions = self._functions(usage or {})
        if dimensions is not None:
            functions["usage"] = lambda: dict(dimensions)
        return Measurement(self._rules, variables, functions)

    def _functions(self, raw: Mapping[str, Any]) -> dict[str, Callable[[], object]]:
        fmt = self.format
        if fmt is None:
            return {}
        # Several rules ask for the same usage: it is worked out once, and only if one asks.
        return {
            fmt.usage_function: cache(lambda: fmt.usage_fields(raw)),
            "usage": cache(lambda: normalised(fmt, raw)),
        }


def normalised(fmt: UsageFormat, raw: Mapping[str, Any]) -> dict[str, int]:
    """The value of ``usage()``: all dimensions, disjoint, and their ``total``."""
    return {**dict.fromkeys(DIMENSIONS, 0), **fmt.dimensions(raw), "total": fmt.total(raw)}


DIMENSIONS = (
    "input",
    "cache_read",
    "cache_write",
    "cache_write_1h",
    "output",
    "reasoning",
    "audio_input",
    "audio_output",
    "image_input",
    "image_output",
    "video_input",
    "video_output",
    "tool_use_input",
    "prediction_rejected",
)


def _group_names(pattern: str) -> list[str]:
    return [part.split(">", 1)[0] for part in pattern.split("(?P<")[1:]]


class Plans:
    """All plans of one catalog, by endpoint id, with look-ups by name. ``prices`` are those of products that refuse
    calls which no price charges."""

    def __init__(self, catalog: Catalog, hashed: str) -> None:
        self.hash = hashed
        self.products: Mapping[str, Product] = {product.name: product for product in catalog.products}
        self.prices: Mapping[str, tuple[Price, ...]] = {
            product.name: tuple(price for price in catalog.prices if price.product == product.name)
            for product in catalog.products
            if product.unpriced == "reject"
        }
        self.endpoints: Mapping[str, EndpointPlan] = {
            endpoint.id: EndpointPlan(api, endpoint, catalog.metrics)
            for api in catalog.apis
            for endpoint in api.endpoints
        }
