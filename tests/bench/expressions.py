"""What it costs to evaluate in a process that can be killed, against an evaluation in place."""

import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

from tollgate_core.expressions import CelExpression, admit_jq
from tollgate_extproc.budget.evaluate import Expressions, Place
from tollgate_extproc.budget.limits import Budget
from tollgate_extproc.metrics import Metrics

_JQ = ".request.body | fromjson | .stream = true"
_LOOP = 'request.json.messages.exists(m, m.role == "nobody")'
_PLAIN = 'has(request.json.model) && request.json.model == "retired"'
_PLACE = Place("API bench", "f")


def run() -> dict[str, Any]:
    """Medians in ms and their ratios, by the number of messages in the body."""
    return asyncio.run(_run())


async def _run() -> dict[str, Any]:
    expressions = Expressions(Budget(), Metrics())
    try:
        return {f"{count} messages": await _of(expressions, _variables(count)) for count in (1, 10, 100, 1000)}
    finally:
        await expressions.close()


def _variables(count: int) -> dict[str, Any]:
    body = {"model": "m", "messages": [{"role": "user", "content": "some text " * 10} for _ in range(count)]}
    return {"request": {"json": body, "body": json.dumps(body), "headers": {}}, "path": {"params": {}}}


async def _of(expressions: Expressions, variables: dict[str, Any]) -> dict[str, Any]:
    program, loop, plain = admit_jq(_JQ), CelExpression(_LOOP), CelExpression(_PLAIN)

    async def in_place(evaluate: Callable[[], object]) -> object:
        return evaluate()

    pairs = {
        "jq": (
            await _median(lambda: in_place(lambda: program.first(variables))),
            await _median(lambda: expressions.jq(_JQ, variables, _PLACE)),
        ),
        "CEL with a loop": (
            await _median(lambda: in_place(lambda: loop.evaluate(variables))),
            await _median(lambda: expressions.cel(loop, variables, _PLACE)),
        ),
        "CEL": (
            await _median(lambda: in_place(lambda: plain.evaluate(variables))),
            await _median(lambda: expressions.cel(plain, variables, _PLACE)),
        ),
    }
    return {
        name: {"in place, ms": round(a, 3), "with a budget, ms": round(b, 3), "ratio": round(b / a, 2)}
        for name, (a, b) in pairs.items()
    }


async def _median(evaluate: Callable[[], Awaitable[object]], count: int = 50) -> float:
    await evaluate()
    times: list[float] = []
    for _ in range(count):
        started = time.perf_counter()
        await evaluate()
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times)
