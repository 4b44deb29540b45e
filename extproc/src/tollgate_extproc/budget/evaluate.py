"""Evaluating a tenant's expression: beside other requests where it is cheap, else in a worker and within its budget."""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

import msgspec
import orjson
import structlog

from tollgate_core.errors import BudgetError, ExpressionError
from tollgate_core.expressions import CelExpression
from tollgate_core.metering import Measured, Measurement, Question
from tollgate_extproc.budget.breaker import Breaker
from tollgate_extproc.budget.limits import Budget
from tollgate_extproc.budget.pool import BusyError, Pool
from tollgate_extproc.budget.tasks import Answer, Task
from tollgate_extproc.budget.worker import StoppedError
from tollgate_extproc.metrics import Metrics

_log = structlog.get_logger("expressions")
_NAMES_JSON = re.compile(r"\bjson\b")
_NO_FUNCTIONS: Mapping[str, Callable[[], object]] = {}
#: Nobody waits for a settlement; but what it needs stays in memory until then.
_SETTLEMENT_PATIENCE_SECONDS = 30.0


@dataclass(frozen=True)
class Place:
    """Where an expression stands: the resource as components name it, with its kind, and the field."""

    resource: str
    field: str

    @property
    def owner(self) -> str:
        """Who shares workers with whom: a namespace, or a resource of the default one."""
        name = self.resource.partition(" ")[2]
        return f"{name.partition('/')[0]}/" if "/" in name else name

    def __str__(self) -> str:
        return f"{self.field} of {self.resource}"


class Expressions:
    """One per process. Every error that it raises is an ExpressionError."""

    def __init__(self, budget: Budget, metrics: Metrics) -> None:
        self._budget = budget
        self._metrics = metrics
        self._pool = Pool(budget)
        self._breaker = Breaker(time.monotonic)

    async def cel(
        self,
        expression: CelExpression,
        variables: Mapping[str, object],
        place: Place,
        functions: Mapping[str, Callable[[], object]] = _NO_FUNCTIONS,
        patience: float | None = None,
    ) -> object:
        """The value of a CEL expression. Raises BudgetError where it takes too much."""
        needed = expression.needed(variables)
        values = {name: functions[name]() for name in expression.functions & functions.keys()}
        if expression.bounds.allow({**needed, **values}):
            return expression.evaluate(variables, functions)
        task = Task("cel", expression.source, _json(needed), _json(values))
        return await self._run(task, place, patience)

    async def jq(self, source: str, variables: Mapping[str, object], place: Place) -> object:
        """The first output of a jq program: always in a worker, for any of them may be endless."""
        given = variables if _NAMES_JSON.search(source) else _without_json(variables)
        return await self._run(Task("jq", source, _json(given)), place, None)

    async def measure(self, measurement: Measurement, api: str) -> Measured:
        """The quantities of a call. One that takes too much is named among the unmetered ones."""
        steps = measurement.steps()
        try:
            question = next(steps)
            while True:
                question = steps.send(await self._answer(question, api))
        except StopIteration as done:
            measured: Measured = done.value
            return measured

    async def _answer(self, question: Question, api: str) -> object:
        place = Place(f"API {api}", f"usage of BillableMetric {question.metric}")
        try:
            return await self.cel(
                question.expression, question.variables, place, question.functions, _SETTLEMENT_PATIENCE_SECONDS
            )
        except ExpressionError as error:
            return error

    async def close(self) -> None:
        """End the workers."""
        await self._pool.close()

    async def _run(self, task: Task, place: Place, patience: float | None) -> object:
        size = len(task.variables) + len(task.functions)
        program = f"{place.owner} {task.kind} {task.source}"  # two tenants may have written the same
        if self._breaker.refuses(program, size):
            raise self._refusal("refused", place, "exceeded its budget several times; it rests for a while")
        began = time.monotonic()
        waiting = self._budget.clock_seconds(size) if patience is None else patience
        try:
            encoded = await self._pool.run(place.owner, msgspec.msgpack.encode(task), waiting)
        except BusyError:
            raise self._refusal("busy", place, "had to wait too long for its turn", passing=True) from None
        except StoppedError as stopped:
            if stopped.reason == "ended":  # by something else, such as the system's lack of memory
                raise self._refusal("ended", place, "was broken off", passing=True) from None
            self._breaker.stopped(program, size)
            raise self._refusal(stopped.reason, place, self._excess(stopped.reason, size)) from None
        finally:
            self._metrics.expression_took(time.monotonic() - began)
        self._breaker.finished(program, size)
        answer = msgspec.msgpack.decode(encoded, type=Answer)
        if answer.error:
            raise ExpressionError(answer.error)
        return answer.value

    def _excess(self, reason: str, size: int) -> str:
        if reason == "memory":
            return f"needed more than its {self._budget.memory_bytes >> 20} MiB of memory"
        return f"took longer than its budget of {self._budget.seconds(size) * 1000:.0f} ms"

    def _refusal(self, reason: str, place: Place, text: str, *, passing: bool = False) -> BudgetError:
        self._metrics.expression_stopped(reason)
        _log.warning("an expression was stopped", resource=place.resource, field=place.field, reason=reason)
        return BudgetError(f"{place} {text}.", passing=passing)


def _without_json(variables: Mapping[str, object]) -> Mapping[str, object]:
    """jq's own input is the body as text; the parsed one beside it would double the work on large bodies."""
    request = variables.get("request")
    if not isinstance(request, dict):
        return variables
    members = cast("dict[str, object]", request)
    return {**variables, "request": {name: value for name, value in members.items() if name != "json"}}


def _json(values: Mapping[str, object]) -> bytes:
    try:
        return orjson.dumps(values)
    except TypeError as error:
        raise ExpressionError(f"its input cannot be handed over: {error}") from error
