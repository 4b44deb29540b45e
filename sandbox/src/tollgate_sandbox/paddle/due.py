"""What happens by itself as time passes."""

from typing import TypeAlias

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.paddle.adjusting import approve
from tollgate_sandbox.paddle.ids import ADJUSTMENT, SUBSCRIPTION, TRANSACTION
from tollgate_sandbox.paddle.renewing import apply_scheduled, renew, retry
from tollgate_sandbox.paddle.times import seconds_of
from tollgate_sandbox.paddle.world import World
from tollgate_sandbox.payments.due import Task

APPROVED_AFTER = 600
_Task: TypeAlias = Task[World]


def waiting(world: World) -> list[_Task]:
    """All that will happen by itself."""
    return [*_of_subscriptions(world), *_of_transactions(world), *_of_adjustments(world)]


def _of_subscriptions(world: World) -> list[_Task]:
    """While payment is past due no further period is billed; a scheduled change comes before a renewal."""
    tasks: list[_Task] = []
    for subscription in world.store.all(SUBSCRIPTION, lambda one: one["status"] != "canceled"):
        change: Json | None = subscription["scheduled_change"]
        if change is not None:
            tasks.append(_Task(seconds_of(change["effective_at"]), subscription, apply_scheduled))
        if subscription["status"] in {"active", "trialing"}:
            tasks.append(_Task(seconds_of(subscription["next_billed_at"]), subscription, renew))
    return tasks


def _of_transactions(world: World) -> list[_Task]:
    owed = world.store.all(TRANSACTION, lambda one: one["status"] == "past_due" and "retry_at" in world.hidden(one))
    return [_Task(world.hidden(one)["retry_at"], one, retry) for one in owed]


def _of_adjustments(world: World) -> list[_Task]:
    pending = world.store.all(ADJUSTMENT, lambda one: bool(one["status"] == "pending_approval"))
    return [_Task(seconds_of(one["created_at"]) + APPROVED_AFTER, one, approve) for one in pending]
