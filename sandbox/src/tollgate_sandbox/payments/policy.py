"""How webhooks go astray, decided without sending anything."""

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TypeVar

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.payments.reading import Fields

Sent = TypeVar("Sent")
HOUR = 3600


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a delivery that failed is tried again."""

    pauses: tuple[int, ...]
    """Between attempts; the last one repeats."""
    given_up_after: int = 3 * 24 * HOUR

    def pause(self, attempts: int, waited: int) -> int | None:
        """Seconds until the next attempt, or None when it is time to give up."""
        pause = self.pauses[min(attempts, len(self.pauses)) - 1]
        return pause if waited + pause <= self.given_up_after else None


@dataclass(frozen=True, slots=True)
class Policy:
    """What is done to deliveries."""

    mode: str = "auto"
    """auto sends at once; manual waits for the order to deliver."""
    duplicate: int = 0
    """How many more times each is sent."""
    drop: float = 0.0
    """The probability that one is lost on its way; it is tried again later, as after any failure."""
    drop_next: int = 0
    """How many of the next ones are lost for certain."""
    delay_ms: int = 0
    reorder: bool = False
    seed: int = 0


def read_policy(body: Json, before: Policy) -> Policy:
    """The policy changed by the fields given; raises ValueError."""
    fields, old = Fields(body), asdict(before)
    policy = Policy(
        mode=fields.choice("mode", ["auto", "manual"], old["mode"]),
        duplicate=fields.whole("duplicate", old["duplicate"]),
        drop=fields.share("drop", old["drop"]),
        drop_next=fields.whole("drop_next", old["drop_next"]),
        delay_ms=fields.whole("delay_ms", old["delay_ms"]),
        reorder=fields.flag("reorder", old["reorder"]),
        seed=fields.whole("seed", old["seed"]),
    )
    fields.end()
    return policy


def order(waiting: Sequence[Sent], policy: Policy, chance: random.Random) -> list[tuple[Sent, bool]]:
    """What is sent, in which order, and whether each reaches its receiver."""
    sends = [one for one in waiting for _ in range(1 + policy.duplicate)]
    if policy.reorder:
        chance.shuffle(sends)
    return [
        (one, position >= policy.drop_next and chance.random() >= policy.drop) for position, one in enumerate(sends)
    ]
