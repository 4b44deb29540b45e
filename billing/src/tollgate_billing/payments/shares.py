"""What was paid of an invoice, as shares of the statements in it and of its tax. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Share:
    """A statement in an invoice: minor units that are due, and those recorded as paid, with their tax, so far."""

    subject: str
    due_minor: int
    paid_minor: int
    tax_minor: int


@dataclass(frozen=True)
class Step:
    """What is to be recorded for a statement; below zero: it went back."""

    subject: str
    minor: int
    tax_minor: int


def allocate(shares: Sequence[Share], total_minor: int, tax_minor: int, paid_minor: int) -> list[Step]:
    """Steps from what is recorded to what was paid: the tax has its part of every payment, statements are paid one
    after the other. All of ``paid_minor`` is found in the sums, whatever was recorded before; paid in full, every
    statement is."""
    tax = round(Fraction(tax_minor * paid_minor, total_minor)) if total_minor else 0
    rest, steps = paid_minor - tax, list[Step]()
    taxes = _spread(tax, [share.due_minor for share in shares])
    for share, its_tax in zip(shares, taxes, strict=True):
        mine = min(rest, share.due_minor)
        rest -= mine
        step = Step(share.subject, mine - share.paid_minor, its_tax - share.tax_minor)
        steps += [step] if step.minor or step.tax_minor else []
    return _refunds_first(steps)


def _spread(amount: int, weights: Sequence[int]) -> list[int]:
    """Whole parts by weight, whose sum is the amount."""
    total, before, parts = sum(weights), 0, list[int]()
    for weight in weights:
        parts.append(amount * (before + weight) // total - amount * before // total if total else 0)
        before += weight
    return parts


def _refunds_first(steps: Iterable[Step]) -> list[Step]:
    return sorted(steps, key=lambda step: step.minor >= 0)
