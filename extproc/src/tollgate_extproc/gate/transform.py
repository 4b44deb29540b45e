"""Request transformations: the API's first, then the product's, each in its declared order.

A value comes from a literal, a jq program or a CEL expression; all see the request as it is at that step.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from tollgate_core.catalog import Rejection, Transformation
from tollgate_core.errors import BudgetError, ExpressionError
from tollgate_core.expressions import CelExpression, Scope, compile_cel
from tollgate_extproc.budget.evaluate import Expressions, Place
from tollgate_extproc.gate.denial import Denial
from tollgate_extproc.gate.request import Request

_SCOPE = Scope(frozenset({"request", "path"}))


@dataclass(frozen=True)
class _Step:
    declared: Transformation
    place: Place
    cel: CelExpression | None


class Transformer:
    """The transformations of one API or product, which ``resource`` names with its kind."""

    def __init__(self, declared: Sequence[Transformation], resource: str, expressions: Expressions) -> None:
        self._expressions = expressions
        self._steps = [
            _Step(
                transformation,
                Place(resource, f"spec.transformations.request[{i}].{transformation.kind}"),
                # jq is compiled where it runs: jq works constants out while it compiles
                compile_cel(transformation.text, _SCOPE) if transformation.kind == "cel" else None,
            )
            for i, transformation in enumerate(declared)
        ]

    async def apply(self, request: Request, endpoint: str) -> bool:
        """Change the request in place; whether anything applied. Raises TransformationError where a value cannot be
        had, BudgetError where that takes too much."""
        steps = [s for s in self._steps if not s.declared.endpoints or endpoint in s.declared.endpoints]
        for step in steps:
            try:
                value = await self._value(step, request)
            except BudgetError:
                raise
            except ExpressionError as error:
                raise TransformationError(step.place) from error
            _change(request, step.declared, value)
        return bool(steps)

    async def _value(self, step: _Step, request: Request) -> str:
        if step.cel is not None:
            value = await self._expressions.cel(step.cel, request.variables(), step.place)
        elif step.declared.kind == "jq":
            value = await self._expressions.jq(step.declared.text, request.variables(), step.place)
        else:
            return step.declared.text
        if isinstance(value, str):
            return value
        try:
            return orjson.dumps(value).decode()
        except TypeError as error:
            raise ExpressionError(f"gave {type(value).__name__}, which is no JSON value") from error


class TransformationError(Exception):
    """A value cannot be had. Why may hold parts of the request, so only the place is told on."""

    def __init__(self, place: Place) -> None:
        super().__init__(str(place))


def _change(request: Request, declared: Transformation, value: str) -> None:
    if declared.target == "body":
        request.set_body(value.encode())
        return
    name = declared.name.lower() if declared.target == "header" else declared.name
    values = request.headers if declared.target == "header" else dict(request.query)
    if declared.action == "remove":
        values.pop(name, None)
    elif declared.action == "replace" or name not in values:
        values[name] = value
    else:
        values[name] = f"{values[name]},{value}"
    if declared.target == "query":
        request.set_query(values)


class Rejector:
    """The compiled rejection rules of an API."""

    def __init__(self, declared: Sequence[Rejection], resource: str, expressions: Expressions) -> None:
        self._expressions = expressions
        self._rules = [
            (rule, compile_cel(rule.when, _SCOPE), Place(resource, f"spec.rejectionRules[{i}].when"))
            for i, rule in enumerate(declared)
        ]

    async def reject(self, request: Request, endpoint: str) -> Denial | None:
        """The first rule that is true. A rule that cannot be computed (a field is missing) is not true; one that takes
        too much raises BudgetError: a body that is large enough must not get past it."""
        variables: dict[str, object] | None = None
        for rule, expression, place in self._rules:
            if rule.endpoints and endpoint not in rule.endpoints:
                continue
            variables = variables or request.variables()
            try:
                matched = await self._expressions.cel(expression, variables, place) is True
            except BudgetError:
                raise
            except ExpressionError:
                matched = False
            if matched:
                return Denial(rule.status, "request_rejected", rule.message)
        return None
