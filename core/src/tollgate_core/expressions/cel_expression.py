"""CEL expressions over the variables of a request and its response.

Compilation checks names as far as they can be known: variables, members, functions. What only a value can tell
(a header that is missing, a type) raises ExpressionError when it is evaluated.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import cast

from tollgate_core.errors import ExpressionError
from tollgate_core.expressions import source as text
from tollgate_core.expressions.bounds import Bounds, check_cel
from tollgate_core.expressions.evaluator import cel

_OPERATOR = re.compile(r"^(@\w+|[^\w]*_.*_[^\w]*|[!-]_|_\W+_|_\[_\]|_\?_:_)$")
_STANDARD_FUNCTIONS = frozenset(
    {"size", "contains", "startsWith", "endsWith", "matches", "int", "uint", "double", "string", "bool", "bytes"}
    | {"timestamp", "duration", "type", "dyn", "has", "min", "max", "getFullYear", "getMonth", "getDate"}
    | {"getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getHours", "getMinutes", "getSeconds", "getMilliseconds"}
)
_MEMBERS = {
    "request": frozenset({"headers", "query", "body", "json", "remote_addr", "method", "path"}),
    "response": frozenset({"statusCode", "headers", "body", "json"}),
    "path": frozenset({"params"}),
}


@dataclass(frozen=True)
class Scope:
    """What an expression may name: ``roots`` such as request, ``functions`` such as usage, the path's parameters."""

    roots: frozenset[str]
    functions: frozenset[str] = frozenset()
    path_params: frozenset[str] | None = None
    #: Functions that exist elsewhere, with the reason why not here: shown instead of "unknown function".
    forbidden: Mapping[str, str] = field(default_factory=dict[str, str])


class CelExpression:
    """A compiled expression. ``roots`` and ``functions`` are what it refers to; ``bounds`` says on how much input it
    may run where nothing can stop it."""

    __slots__ = ("_program", "_reads", "bounds", "functions", "roots", "source")

    def __init__(self, source: str) -> None:
        try:
            self._program = cel.compile(source)
        except ValueError as error:
            raise ExpressionError(_first_line(str(error))) from error
        self.source = source
        named = frozenset(self._program.variables())
        self.roots = named - text.bound_names(source)
        self.functions = frozenset(f for f in self._program.functions() if not _OPERATOR.match(f))
        self.bounds = Bounds.of(source, named, self.functions)
        self._reads = {name: text.reads(source, name) if name in _MEMBERS else None for name in named}

    def needed(self, variables: Mapping[str, object]) -> dict[str, object]:
        """The parts of the variables that it reads: handing over a body costs more than most expressions do."""
        kept: dict[str, object] = {}
        for name, members in self._reads.items():
            if name in variables:
                kept[name] = variables[name] if members is None else _only(variables[name], members)
        return kept

    def evaluate(
        self, variables: Mapping[str, object], functions: Mapping[str, Callable[[], object]] | None = None
    ) -> object:
        """The value; raises ExpressionError with CEL's own reason (missing key, wrong type, overflow)."""
        context = cel.Context(self.needed(variables), dict(functions) if functions else None)
        try:
            return self._program.execute(context)
        except MemoryError:
            raise
        except Exception as error:  # the binding raises a dozen built-in types, all of them "could not be computed"
            raise ExpressionError(f"{self.source!r} cannot be computed: {_first_line(str(error))}") from error


def admit_cel(source: str, scope: Scope) -> CelExpression:
    """For manifests that are new: compile_cel, and raises ExpressionError also for what would take too long.

    What serves already is not asked: it has its budget, and a catalog must stay readable for calls admitted under it.
    """
    check_cel(source)
    return compile_cel(source, scope)


def compile_cel(source: str, scope: Scope) -> CelExpression:
    """Compile and check names against ``scope``. Raises ExpressionError that names what is unknown."""
    expression = CelExpression(source)
    for name in sorted(expression.functions - scope.functions - _STANDARD_FUNCTIONS):
        raise ExpressionError(
            scope.forbidden.get(name)
            or f"unknown function {name}(); here there are {_listing(scope.functions)} and CEL's own"
        )
    for name in sorted(expression.roots - scope.roots):
        raise ExpressionError(f"unknown variable {name!r}; here there are {_listing(scope.roots)}")
    for root, member, parameter in sorted(text.members(source)):
        _check_member(root, member, parameter, scope)
    return expression


def _only(value: object, members: text.Members) -> object:
    if not isinstance(value, Mapping):
        return value
    variable = cast("Mapping[str, object]", value)
    kept: dict[str, object] = {}
    for name, keys in members.items():
        if name in variable:
            member = variable[name]
            kept[name] = member if keys is None else _only(member, dict.fromkeys(keys))
    return kept


def _check_member(root: str, member: str, parameter: str, scope: Scope) -> None:
    if root not in scope.roots:
        return
    if member not in _MEMBERS[root]:
        raise ExpressionError(f"unknown variable {root}.{member}; {root} has {_listing(_MEMBERS[root])}")
    if root == "path" and parameter and scope.path_params is not None and parameter not in scope.path_params:
        raise ExpressionError(
            f"the path has no parameter {parameter!r}; it has {_listing(scope.path_params) or 'none'}"
        )


def _listing(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))


def _first_line(message: str) -> str:
    return message.strip().splitlines()[0][:300] if message.strip() else "unknown error"
