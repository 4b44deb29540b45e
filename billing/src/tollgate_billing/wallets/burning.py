"""Which grants pay, in which order. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Grant:
    """``remaining_minor`` of ``minor`` is not burned, expired or taken back. Smaller ``priority`` burns first."""

    id: str
    subscription: str
    minor: int
    currency: str
    priority: int
    granted_ms: int
    expires_ms: int | None
    source: str
    comment: str
    remaining_minor: int

    def pays_at(self, moment_ms: int) -> bool:
        """A grant pays for what is due up to its expiry."""
        return self.granted_ms <= moment_ms and not self.is_over(moment_ms)

    def is_over(self, moment_ms: int) -> bool:
        """Whether it has expired."""
        return self.expires_ms is not None and moment_ms > self.expires_ms


@dataclass(frozen=True)
class Burn:
    """How much of a grant."""

    grant: str
    minor: int


def burns(grants: Iterable[Grant], minor: int, moment_ms: int) -> list[Burn]:
    """By priority, then what expires soonest (what never does last), then the oldest, then by id. Together at most
    ``minor``; nothing where that is not positive."""
    found: list[Burn] = []
    for grant in sorted(grants, key=_order):
        part = min(minor, grant.remaining_minor) if grant.pays_at(moment_ms) else 0
        if part > 0:
            found.append(Burn(grant.id, part))
            minor -= part
    return found


def unexpired(grants: Iterable[Grant], moment_ms: int) -> int:
    """What is left, by expiry alone: the clock of the replica that wrote a grant may be ahead of this one's."""
    return sum(grant.remaining_minor for grant in grants if not grant.is_over(moment_ms))


def balance(grants: Iterable[Grant], moment_ms: int) -> int:
    """What could pay now."""
    return sum(grant.remaining_minor for grant in grants if grant.pays_at(moment_ms))


def _order(grant: Grant) -> tuple[int, bool, int, int, str]:
    return grant.priority, grant.expires_ms is None, grant.expires_ms or 0, grant.granted_ms, grant.id
