"""Running tasks until the process is told to stop."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any


async def run_until_stopped(
    *coroutines: Coroutine[Any, Any, None], finish: Callable[[], Coroutine[Any, Any, None]] | None = None
) -> None:
    """Until SIGTERM or SIGINT, or until one of the coroutines fails (then its exception is raised). Told to stop,
    ``finish`` is waited for while the others still run."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    waiter = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait([*tasks, waiter], return_when=asyncio.FIRST_COMPLETED)
    try:
        if finish and not done - {waiter}:
            await finish()
    finally:
        ended = [task for task in tasks if task.done()]
        for task in (*tasks, waiter):
            task.cancel()
        await asyncio.wait([*tasks, waiter])
    for task in ended:
        task.result()
