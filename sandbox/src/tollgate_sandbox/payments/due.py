"""What happens by itself as time passes."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.payments.account import Account

Its = TypeVar("Its", bound=Account)


@dataclass(frozen=True)
class Task(Generic[Its]):
    """Something due."""

    at: int
    thing: Json
    act: Callable[[Its, Json], None]


def run_until(account: Its, until: int, waiting: Callable[[Its], Iterable[Task[Its]]]) -> None:
    """Do what falls due up to then in its order, each thing at its own time."""
    while task := next_task(waiting(account), until):
        account.clock.set(max(task.at, account.now()))
        task.act(account, task.thing)
    account.clock.set(max(until, account.now()))


def next_task(waiting: Iterable[Task[Its]], until: int) -> Task[Its] | None:
    """The earliest thing that is due by then."""
    return min((task for task in waiting if task.at <= until), key=lambda task: task.at, default=None)
