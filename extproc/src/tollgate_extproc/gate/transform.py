"""Request transformations: the API's first, then the product's, each in its declared order.

A value comes from a literal, a jq program or a CEL expression; all see the request as it is at that step.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from tollgate_core.catalog import Rejection, Transformation
from tollgate_core.errors import ExpressionError
from tollgate_core.expressions import CelExpression, JqProgram, Scope, compile_cel, compile_jq
from tollgate_extproc.gate.denial import Denial
from tollgate_extproc.gate.request import Request

_SCOPE = Scope(frozenset({"request", "path"}))


@dataclass(frozen=True)
class _Step:
    declared: Transformation
    program: JqProgram | CelExpression | None


class Transformer:
    """The compiled transformations of one API or product."""

    def __init__(self, declared: Sequence[Transformation]) -> None:
        self._steps = [_Step(t, _compile(t)) for t in declared]

    def apply(self, request: Request, endpoint: str) -> bool:
        """Change the request in place; whether anything applied. Raises ExpressionError where a value cannot be had."""
        steps = [s for s in self._steps if not s.declared.endpoints or endpoint in s.declared.endpoints]
        for step in steps:
            _change(request, step.declared, _value(step, request))
        return bool(steps)


def _compile(declared: Transformation) -> JqProgram | CelExpression | None:
    match declared.kind:
        case "jq":
            return compile_jq(declared.text)
        case "cel":
            return compile_cel(declared.text, _SCOPE)
        case "value" | "none":
            return None


def _value(step: _Step, request: Request) -> str:
    if step.program is None:
        return step.declared.text
    variables = request.variables()
    value = step.program.first(variables) if isinstance(step.program, JqProgram) else step.program.evaluate(variables)
    if isinstance(value, str):
        return value
    try:
        return orjson.dumps(value).decode()
    except TypeError as error:
        raise ExpressionError(f"{step.declared.text!r} gave {type(value).__name__}, which is no JSON value") from error


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

    def __init__(self, declared: Sequence[Rejection]) -> None:
        self._rules = [(rule, compile_cel(rule.when, _SCOPE)) for rule in declared]

    def reject(self, request: Request, endpoint: str) -> Denial | None:
        """The first rule that is true. A rule that cannot be computed (a field is missing) is not true."""
        variables: dict[str, object] | None = None
        for rule, expression in self._rules:
            if rule.endpoints and endpoint not in rule.endpoints:
                continue
            variables = variables or request.variables()
            try:
                matched = expression.evaluate(variables) is True
            except ExpressionError:
                matched = False
            if matched:
                return Denial(rule.status, "request_rejected", rule.message)
        return None
