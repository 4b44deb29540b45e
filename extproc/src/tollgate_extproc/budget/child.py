"""The program of a worker process: evaluates what it is asked, until its input ends or its time does.

It knows nothing but its task: its environment is empty, and the kernel ends it when an evaluation takes too much
processor time, also in the middle of CEL's or jq's own code and also where its parent is gone.
"""
# ruff: noqa: E402 - see the stand-in for cel.cli

import resource
import signal
import sys
import types
from datetime import timedelta
from functools import lru_cache
from typing import Any, BinaryIO

# The binding imports its command line with it: 200 ms and 20 MiB of what is not needed here.
sys.modules.setdefault("cel.cli", types.ModuleType("cel.cli"))

import msgspec
import orjson

from tollgate_core.errors import ExpressionError
from tollgate_core.expressions import CelExpression, JqProgram
from tollgate_extproc.budget.limits import Budget
from tollgate_extproc.budget.tasks import LENGTH, Answer, Task

#: An exit code beside the kernel's signals.
OUT_OF_MEMORY = 3


def evaluate(task: Task) -> Answer:
    """The value, or why it has none."""
    try:
        if task.kind == "jq":
            return Answer(_jq(task.source).first_of(task.variables.decode()))
        functions: dict[str, Any] = orjson.loads(task.functions)
        calls = {name: (lambda value=value: value) for name, value in functions.items()}
        value = _cel(task.source).evaluate(orjson.loads(task.variables), calls)
    except ExpressionError as error:
        return Answer(error=str(error) or "unknown error")
    if isinstance(value, timedelta):
        return Answer(error=f"{task.source!r} gave a duration, which is no JSON value")
    return Answer(value)


def encode(answer: Answer) -> bytes:
    """For the parent."""
    try:
        return msgspec.msgpack.encode(answer)
    except (TypeError, ValueError, OverflowError):
        return msgspec.msgpack.encode(Answer(error=f"gave {type(answer.value).__name__}, which is no JSON value"))


@lru_cache(maxsize=256)
def _jq(source: str) -> JqProgram:
    return JqProgram(source)


@lru_cache(maxsize=256)
def _cel(source: str) -> CelExpression:
    return CelExpression(source)


def main() -> None:
    """``child.py CPU_MS MEMORY_BYTES``, with tasks on its input and answers on its output."""
    budget = Budget(cpu_ms=int(sys.argv[1]), memory_bytes=int(sys.argv[2]))
    resource.setrlimit(resource.RLIMIT_AS, (budget.memory_bytes, budget.memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # what it evaluates is nobody's to keep
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for the parent, which ends it
    tasks, answers = sys.stdin.buffer, sys.stdout.buffer
    try:
        _write(answers, b"")
        while (payload := _read(tasks)) is not None:
            signal.setitimer(signal.ITIMER_PROF, budget.seconds(len(payload)))
            answer = encode(evaluate(msgspec.msgpack.decode(payload, type=Task)))
            signal.setitimer(signal.ITIMER_PROF, 0)
            _write(answers, answer)
    except MemoryError:
        sys.exit(OUT_OF_MEMORY)


def _read(stream: BinaryIO) -> bytes | None:
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    return stream.read(LENGTH.unpack(head)[0])


def _write(stream: BinaryIO, payload: bytes) -> None:
    stream.write(LENGTH.pack(len(payload)))
    stream.write(payload)
    stream.flush()


if __name__ == "__main__":
    main()
