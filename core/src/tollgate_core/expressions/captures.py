"""Splitting an expression between the gate, which sees the request, and the meter, which sees the response.

The gate evaluates every part that depends on the request alone (a *capture*) and hands the values on in the admission
record; the meter evaluates the rest with the captures filled in. The request itself never leaves the gate.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from tollgate_core.errors import ExpressionError
from tollgate_core.expressions import source as text
from tollgate_core.expressions.cel_expression import CelExpression

_RESPONSE_SIDE = "response"


@dataclass(frozen=True)
class Capture:
    """A part of an expression that the gate evaluates; ``key`` is its source text."""

    key: str
    expression: CelExpression


@dataclass(frozen=True)
class CapturedExpression:
    """``rest`` reads ``captured[key]`` where the original read the request."""

    rest: CelExpression
    captures: tuple[Capture, ...]


def capture_request_part(expression: CelExpression, usage_functions: Iterable[str]) -> CapturedExpression:
    """Split: an expression without response or usage is captured whole, else each path below request or path."""
    source = expression.source
    if not expression.roots & {"request", "path"}:
        return CapturedExpression(expression, ())
    if _RESPONSE_SIDE not in expression.roots and not expression.functions & frozenset(usage_functions):
        return CapturedExpression(CelExpression(_reference(source)), (Capture(source, expression),))
    pieces: list[str] = []
    captures: dict[str, Capture] = {}
    position = 0
    for start, end in text.request_atoms(source):
        atom = source[start:end]
        pieces += [source[position:start], _reference(atom)]
        captures.setdefault(atom, Capture(atom, CelExpression(atom)))
        position = end
    rest = CelExpression("".join(pieces) + source[position:])
    if rest.roots & {"request", "path"}:
        raise ExpressionError("request and path can only be used as in request.json.n or path.params.model")
    return CapturedExpression(rest, tuple(captures.values()))


def _reference(key: str) -> str:
    return f"captured[{json.dumps(key, ensure_ascii=False)}]"
