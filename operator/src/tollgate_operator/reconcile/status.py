"""Statuses after the Gateway API's habits: Accepted, ResolvedRefs and so on, each with a reason and a message."""

from dataclasses import dataclass
from typing import Literal

ConditionType = Literal["Accepted", "ResolvedRefs", "Programmed", "Synced", "Deletable"]


Serving = Literal["current", "previous", "none"]


@dataclass(frozen=True)
class Condition:
    """``status`` is None where nobody knows. ``reason`` is a CamelCase word for machines, ``message`` is for people and
    names the field."""

    type: ConditionType
    status: bool | None
    reason: str
    message: str = ""


@dataclass(frozen=True)
class Status:
    """All conditions of one resource. ``serving`` says which version serves: this one, the last good one, or none."""

    conditions: tuple[Condition, ...]
    serving: Serving

    @property
    def problems(self) -> list[str]:
        """Messages of the conditions that do not hold."""
        return [c.message for c in self.conditions if not c.status and c.message]
