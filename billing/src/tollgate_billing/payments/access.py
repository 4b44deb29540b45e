"""What a subscription may do by what it owes: a pure decision."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tollgate_core.catalog import Dunning

Level = Literal["active", "grace", "throttled", "suspended", "cancelled"]
_DAY_MS = 86_400_000


@dataclass(frozen=True)
class Unpaid:
    """A statement whose time to be paid began at ``due_ms``. ``hopeless``: it was given up then, or a bank took it
    back."""

    statement: str
    due_ms: int
    hopeless: bool = False


@dataclass(frozen=True)
class Access:
    """``since_ms`` is when the level began, ``next_ms`` when it becomes worse by itself; ``statement`` is why."""

    level: Level
    since_ms: int = 0
    next_ms: int | None = None
    statement: str = ""


GOOD = Access("active")


def access(unpaid: Sequence[Unpaid], policy: Dunning | None, now_ms: int) -> Access:
    """The worst that any of the statements leads to. Without a policy nothing is limited."""
    if policy is None or not unpaid:
        return GOOD
    hopeless = next((one for one in unpaid if one.hopeless), None)
    if hopeless is not None:
        return _suspended(policy, min(now_ms, hopeless.due_ms), hopeless.statement, now_ms)
    oldest = min(unpaid, key=lambda one: one.due_ms)
    throttled_ms = oldest.due_ms + policy.grace_days * _DAY_MS
    suspended_ms = throttled_ms + policy.throttle_days * _DAY_MS
    if now_ms >= suspended_ms:
        return _suspended(policy, suspended_ms, oldest.statement, now_ms)
    if now_ms >= throttled_ms:
        return Access("throttled", throttled_ms, suspended_ms, oldest.statement)
    if now_ms >= oldest.due_ms:
        return Access("grace", oldest.due_ms, throttled_ms, oldest.statement)
    return Access("active", 0, oldest.due_ms, oldest.statement)


def _suspended(policy: Dunning, since_ms: int, statement: str, now_ms: int) -> Access:
    if policy.cancel_days < 0:
        return Access("suspended", since_ms, None, statement)
    cancelled_ms = since_ms + policy.cancel_days * _DAY_MS
    if now_ms >= cancelled_ms:
        return Access("cancelled", cancelled_ms, None, statement)
    return Access("suspended", since_ms, cancelled_ms, statement)
