"""What happens by itself as time passes."""

from collections.abc import Callable
from dataclasses import dataclass

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.stripe.checkouts import expire
from tollgate_sandbox.stripe.collecting import finalize_and_collect, retry
from tollgate_sandbox.stripe.debiting import settle_debit
from tollgate_sandbox.stripe.errors import StripeError
from tollgate_sandbox.stripe.world import World


@dataclass(frozen=True, slots=True)
class Task:
    """Something due."""

    at: int
    thing: Json
    act: Callable[[World, Json], None]


def run_until(world: World, until: int) -> None:
    """Do what falls due up to then in its order, each thing at its own time."""
    while task := next_task(world, until):
        world.clock.set(max(task.at, world.now()))
        task.act(world, task.thing)
    world.clock.set(max(until, world.now()))


def next_task(world: World, until: int) -> Task | None:
    """The earliest thing that is due by then."""
    tasks = [*_of_invoices(world), *_of_sessions(world), *_of_debits(world)]
    return min((task for task in tasks if task.at <= until), key=lambda task: task.at, default=None)


def _of_invoices(world: World) -> list[Task]:
    tasks: list[Task] = []
    for invoice in world.store.all("invoice"):
        if invoice["status"] == "draft" and invoice["automatically_finalizes_at"] is not None:
            tasks.append(Task(invoice["automatically_finalizes_at"], invoice, _finalize))
        elif invoice["status"] == "open":
            if invoice["next_payment_attempt"] is not None:
                tasks.append(Task(invoice["next_payment_attempt"], invoice, retry))
            if invoice["due_date"] is not None and "overdue" not in world.store.hidden[invoice["id"]]:
                tasks.append(Task(invoice["due_date"], invoice, _overdue))
    return tasks


def _of_sessions(world: World) -> list[Task]:
    sessions = world.store.all("checkout.session", lambda session: session["status"] == "open")
    return [Task(session["expires_at"], session, expire) for session in sessions]


def _of_debits(world: World) -> list[Task]:
    waiting = world.store.all("payment_intent", lambda intent: intent["status"] == "processing")
    return [Task(world.store.hidden[intent["id"]]["settles_at"], intent, settle_debit) for intent in waiting]


def _finalize(world: World, invoice: Json) -> None:
    """A failure is told by an event, and not tried again by itself."""
    invoice["automatically_finalizes_at"] = None
    try:
        finalize_and_collect(world, invoice)
    except StripeError:
        invoice["auto_advance"] = False


def _overdue(world: World, invoice: Json) -> None:
    world.store.hidden[invoice["id"]]["overdue"] = True
    world.emit("invoice.overdue", invoice)
