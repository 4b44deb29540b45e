"""The queue of webhook deliveries: every event times every endpoint that wants it, with each attempt's outcome."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.payments.policy import Schedule

Sign: TypeAlias = "Callable[[str, str, int], dict[str, str]]"
"""From body, secret and time of sending to the headers that prove where it comes from."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where events go."""

    id: str
    url: str
    secret: str


@dataclass(slots=True)
class Delivery:
    """One event for one endpoint."""

    id: int
    event: str
    type: str
    target: Target
    body: str
    created: int
    next_at: int
    """When it is due by the simulator's clock."""
    state: str = "pending"
    attempts: list[Json] = field(default_factory=list[Json])

    def record(self, now: int, status: int | None, error: str | None, schedule: Schedule) -> None:
        """Note what an attempt came to, and when the next one is due."""
        self.attempts.append({"at": now, "status": status, "error": error})
        if status is not None and 200 <= status < 300:
            self.state = "delivered"
        elif self.state != "delivered":
            pause = schedule.pause(len(self.attempts), now - self.created)
            self.state = "pending" if pause is not None else "failed"
            self.next_at = now + (pause or 0)

    def summary(self) -> Json:
        """For lists: without body and secret."""
        left_out = {"body", "target"}
        shown = {name: value for name, value in asdict(self).items() if name not in left_out}
        return {**shown, "endpoint": self.target.id, "url": self.target.url}


class Deliveries:
    """The newest deliveries; older ones are forgotten, delivered or not, so that memory is bounded."""

    def __init__(self, kept: int, schedule: Schedule) -> None:
        self.schedule = schedule
        self._all: deque[Delivery] = deque(maxlen=kept)
        self._next = 1

    def add(self, event: str, type_: str, body: str, targets: Iterable[Target], now: int) -> list[int]:
        """Queue an event; the numbers of its deliveries."""
        first = self._next
        for target in targets:
            self._all.append(Delivery(self._next, event, type_, target, body, now, now))
            self._next += 1
        return list(range(first, self._next))

    def find(self, id_: int) -> Delivery | None:
        """A delivery that is still remembered."""
        position = id_ - self._all[0].id if self._all else -1
        return self._all[position] if 0 <= position < len(self._all) else None

    def pending(self, now: int | None = None) -> list[Delivery]:
        """What waits, or only what is due by then."""
        return [d for d in self._all if d.state == "pending" and (now is None or d.next_at <= now)]

    def again(self, event: str) -> int:
        """Queue all deliveries of an event once more, as the dashboard's resend button does."""
        found = [delivery for delivery in self._all if delivery.event == event]
        for delivery in found:
            delivery.state = "pending"
        return len(found)

    def all(self) -> list[Json]:
        """Oldest first."""
        return [delivery.summary() for delivery in self._all]

    def of(self, event: str) -> list[Delivery]:
        """The deliveries of an event."""
        return [delivery for delivery in self._all if delivery.event == event]

    def clear(self) -> None:
        """Forget all."""
        self._all.clear()

    def dump(self) -> list[Json]:
        """Everything, for the state file."""
        return [asdict(delivery) for delivery in self._all]

    def load(self, saved: Iterable[dict[str, Any]]) -> None:
        """Take up what was dumped."""
        self.clear()
        for one in saved:
            fields: Json = {**one, "target": Target(**one["target"])}
            self._all.append(Delivery(**fields))
        self._next = max((delivery.id for delivery in self._all), default=0) + 1
