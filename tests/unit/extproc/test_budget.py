"""Expressions that take too much are stopped; others never notice."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tollgate_cli.laptop.system import wait_for
from tollgate_core.errors import BudgetError, ExpressionError
from tollgate_core.expressions import CelExpression
from tollgate_extproc.budget.breaker import Breaker
from tollgate_extproc.budget.child import encode, evaluate
from tollgate_extproc.budget.evaluate import Expressions, Place
from tollgate_extproc.budget.limits import Budget
from tollgate_extproc.budget.pool import BusyError, Pool
from tollgate_extproc.budget.tasks import Answer, Task
from tollgate_extproc.metrics import Metrics

MINE, OTHERS = Place("API mine/api", "spec.transformations.request[0].jq"), Place("API others/api", "f")
ENDLESS = ["def f: f; f", "[range(1e18)] | length", "[limit(1e9; repeat(1))]", "reduce range(1e18) as $i (0; . + 1)"]
BOMBS = [".a | [limit(64; repeat(.))] | map(. * 3000000)", "def f: [f, f]; f", '[limit(1e7; repeat("x"))] | tostring']
MESSAGES = [{"role": "user", "content": "secret of the body"}] * 4000
QUADRATIC = "request.json.messages.all(a, request.json.messages.all(b, a.role == b.role))"
DOUBLING = "[request.json.messages[0].content]" + ".map(x, x + x)" * 30


@asynccontextmanager
async def running(budget: Budget | None = None) -> AsyncIterator[tuple[Expressions, Metrics]]:
    metrics = Metrics()
    expressions = Expressions(budget or Budget(cpu_ms=100), metrics)
    try:
        yield expressions, metrics
    finally:
        await expressions.close()


def run(test: Callable[[Expressions], Awaitable[object]], budget: Budget | None = None) -> Any:
    async def main() -> object:
        async with running(budget) as (expressions, _):
            return await test(expressions)

    return asyncio.run(main())


def request(**body: Any) -> dict[str, object]:
    return {"request": {"json": body, "headers": {}}, "path": {"params": {}}}


@pytest.mark.parametrize("program", [*ENDLESS, *BOMBS])
def test_a_jq_program_that_takes_too_much_is_stopped_and_the_next_one_runs(program: str) -> None:
    async def test(expressions: Expressions) -> None:
        with pytest.raises(BudgetError, match=r"spec\.transformations\.request\[0\]\.jq of API mine/api"):
            await expressions.jq(program, {"a": "secret of the body"}, MINE)
        assert await expressions.jq(".a", {"a": 1}, MINE) == 1

    run(test)


@pytest.mark.parametrize("source", [QUADRATIC, DOUBLING, "request.json.messages.map(m, m)"])
def test_a_cel_expression_that_takes_too_much_is_stopped(source: str) -> None:
    async def test(expressions: Expressions) -> None:
        with pytest.raises(BudgetError):
            await expressions.cel(CelExpression(source), request(messages=MESSAGES * 3), MINE)
        assert await expressions.cel(CelExpression(QUADRATIC), request(messages=MESSAGES[:2]), OTHERS) is True

    run(test)


def test_others_are_served_while_one_owner_s_programs_do_not_end() -> None:
    async def test(expressions: Expressions) -> None:
        slow = [asyncio.ensure_future(expressions.jq(ENDLESS[0] + f" # {i}", {}, MINE)) for i in range(8)]
        for number in range(20):
            assert await expressions.jq(".a", {"a": number}, OTHERS) == number
        assert not any(task.done() for task in slow[1:])  # their turn comes one after the other
        for found in await asyncio.gather(*slow, return_exceptions=True):
            assert isinstance(found, BudgetError)

    run(test, Budget(cpu_ms=2000))


def test_who_leaves_does_not_leave_an_answer_to_the_next_one() -> None:
    async def test(expressions: Expressions) -> None:
        for number in range(20):
            gone = asyncio.ensure_future(expressions.jq(f"[range(20000)] | length + {number}", {}, MINE))
            await asyncio.sleep(0)
            gone.cancel()
            assert await expressions.jq(".a", {"a": number}, MINE) == number

    run(test, Budget(cpu_ms=1000, workers=1))


def test_a_turn_that_comes_too_late_is_told_so() -> None:
    async def main() -> None:
        pool = Pool(Budget(cpu_ms=1000, workers=1))
        slow = asyncio.ensure_future(pool.run("a", b"\x93\xa2jq\xabdef f: f; f\xc4\x02{}", 10))
        await asyncio.sleep(0)
        with pytest.raises(BusyError):
            await pool.run("b", b"", 0.01)
        await asyncio.wait([slow])
        assert slow.exception() is not None
        await pool.close()

    asyncio.run(main())


def test_what_is_stopped_again_and_again_is_refused_without_a_worker() -> None:
    async def main() -> str:
        async with running() as (expressions, metrics):
            for _ in range(4):
                with pytest.raises(BudgetError):
                    await expressions.jq(ENDLESS[0], {}, MINE)
            return metrics.text()

    text = asyncio.run(main())
    assert 'tollgate_expressions_stopped_total{reason="time"} 3.0' in text
    assert 'tollgate_expressions_stopped_total{reason="refused"} 1.0' in text


def test_who_wrote_the_same_program_is_not_refused_with_others() -> None:
    async def test(expressions: Expressions) -> None:
        program = "if .n > 5 then def f: f; f else .n end"
        for _ in range(4):
            with pytest.raises(BudgetError):
                await expressions.jq(program, {"n": 9}, MINE)
        assert await expressions.jq(program, {"n": 1}, OTHERS) == 1

    run(test)


def test_a_worker_that_was_killed_while_it_was_idle_is_replaced_unnoticed() -> None:
    async def test(expressions: Expressions) -> None:
        assert await expressions.jq(".a", {"a": 1}, MINE) == 1
        for child in _children():
            os.kill(child, signal.SIGKILL)
        assert await expressions.jq(".a", {"a": 2}, MINE) == 2

    run(test)


def test_the_breaker_lets_smaller_inputs_through_and_tries_again() -> None:
    now = [0.0]
    breaker = Breaker(lambda: now[0])
    for _ in range(3):
        assert not breaker.refuses("p", 1000)
        breaker.stopped("p", 1000)
    assert breaker.refuses("p", 1000)
    assert breaker.refuses("p", 5000)
    assert not breaker.refuses("p", 999)
    assert not breaker.refuses("other", 5000)
    now[0] += 100
    assert not breaker.refuses("p", 1000)
    assert breaker.refuses("p", 1000)  # one at a time
    breaker.finished("p", 10)  # says nothing of large inputs
    assert breaker.refuses("p", 1000)
    breaker.finished("p", 1000)
    assert not breaker.refuses("p", 1000)


def test_nothing_of_the_body_is_in_an_error_or_a_log() -> None:
    async def test(expressions: Expressions) -> list[str]:
        texts: list[str] = []
        for source in (QUADRATIC, DOUBLING):
            with pytest.raises(BudgetError) as caught:
                await expressions.cel(CelExpression(source), request(messages=MESSAGES), MINE)
            texts.append(str(caught.value))
        with pytest.raises(BudgetError) as caught:
            await expressions.jq("def f: stderr | f; f", request(messages=MESSAGES), MINE)
        return [*texts, str(caught.value)]

    with capture_logs() as logs:
        texts = run(test)
    assert len(logs) == 3
    assert "secret" not in f"{texts}{logs}"


def test_a_worker_has_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOLLGATE_KEY_PEPPER", "pepper")

    async def test(expressions: Expressions) -> None:
        slow = asyncio.ensure_future(expressions.jq("[range(3000000)] | length", {}, MINE))
        assert await expressions.jq("[$ENV, env]", {}, OTHERS) == [{}, {}]
        assert b"" in _environments_of_children()
        await slow

    run(test, Budget(cpu_ms=5000))


def _environments_of_children() -> list[bytes]:
    found: list[bytes] = []
    for pid in _children():
        with contextlib.suppress(OSError):  # one that has just ended
            found.append(Path(f"/proc/{pid}/environ").read_bytes())
    return found


def _children() -> list[int]:
    return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]


def test_a_worker_ends_with_its_parent_even_in_an_endless_program() -> None:
    program = textwrap.dedent(
        """
        import asyncio, os
        from tollgate_extproc.budget.limits import Budget
        from tollgate_extproc.budget.tasks import Task
        from tollgate_extproc.budget.worker import Worker
        import msgspec

        async def main():
            worker = await Worker.start(Budget(cpu_ms=500))
            print(worker.pid, flush=True)
            await worker.ask(msgspec.msgpack.encode(Task("jq", "def f: f; f", b"{}")))

        asyncio.run(main())
        """
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert wait_for(lambda: _is_gone(child), 20)


def _is_gone(pid: int) -> bool:
    """Also where nobody has asked yet how it ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.parametrize(
    "source",
    [
        "request.json.n",
        "request.json.n + 1.5",
        "[request.json.n, 2].map(x, x * 2)",
        '{"a": request.json.missing}',
        "request.json.text.matches('^a')",
        "size(request.json.list) > 1 && has(request.json.n)",
        "request.json.n / 0",
        'timestamp("2026-01-01T00:00:00Z")',
    ],
)
def test_a_worker_gives_what_an_evaluation_in_place_gives(source: str) -> None:
    variables = request(n=3, text="abc", list=[1, 2.5, None, {"x": True}])
    expression = CelExpression(source)
    try:
        value = expression.evaluate(variables)
    except ExpressionError as error:
        value = str(error)

    async def test(expressions: Expressions) -> object:
        large = request(n=3, text="abc", list=[1, 2.5, None, {"x": True}, "x" * 70_000])
        try:
            return await expressions.cel(_never_in_place(expression), large, MINE)
        except ExpressionError as error:
            return str(error)

    assert run(test) == value


def _never_in_place(expression: CelExpression) -> CelExpression:
    expression.bounds = type(expression.bounds)(0, {})
    return expression


@pytest.mark.parametrize("source", ['duration("1h")', "b'x' == b'x' ? dyn(duration('1s')) : dyn(1)"])
def test_what_is_no_json_value_is_said_to_be_none(source: str) -> None:
    answer = evaluate(Task("cel", source, b"{}"))
    assert "no JSON value" in answer.error
    assert b"no JSON value" in encode(Answer(value=object()))
