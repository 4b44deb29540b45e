"""What happens by itself as time passes."""

from typing import TypeAlias

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.payments.due import Task
from tollgate_sandbox.stripe.checkouts import expire
from tollgate_sandbox.stripe.collecting import finalize_and_collect, retry
from tollgate_sandbox.stripe.debiting import settle_debit
from tollgate_sandbox.stripe.errors import StripeError
from tollgate_sandbox.stripe.world import World

_Task: TypeAlias = Task[World]


def waiting(world: World) -> list[_Task]:
    """All that will happen by itself."""
    return [*_of_invoices(world), *_of_sessions(world), *_of_debits(world)]


def _of_invoices(world: World) -> list[_Task]:
    tasks: list[_Task] = []
    for invoice in world.store.all("invoice"):
        if invoice["status"] == "draft" and invoice["automatically_finalizes_at"] is not None:
            tasks.append(_Task(invoice["automatically_finalizes_at"], invoice, _finalize))
        elif invoice["status"] == "open":
            if invoice["next_payment_attempt"] is not None:
                tasks.append(_Task(invoice["next_payment_attempt"], invoice, retry))
            if invoice["due_date"] is not None and "overdue" not in world.store.hidden[invoice["id"]]:
                tasks.append(_Task(invoice["due_date"], invoice, _overdue))
    return tasks


def _of_sessions(world: World) -> list[_Task]:
    sessions = world.store.all("checkout.session", lambda session: session["status"] == "open")
    return [_Task(session["expires_at"], session, expire) for session in sessions]


def _of_debits(world: World) -> list[_Task]:
    waiting = world.store.all("payment_intent", lambda intent: intent["status"] == "processing")
    return [_Task(world.store.hidden[intent["id"]]["settles_at"], intent, settle_debit) for intent in waiting]


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
