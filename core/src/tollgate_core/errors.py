"""Tollgate's own error hierarchy, translated to a framework's errors at the entry points only.

TollgateError
├── ManifestError       a resource is wrong; names the field
├── ExpressionError     a CEL or jq expression does not compile or cannot be computed
│   └── BudgetError     it took more time or memory than it may, or waited too long to run
├── QuantityError       a text is no quantity, or out of range
├── EventError          a usage event cannot be read or posted
├── QuoteError          a quote was asked for what is not on offer
└── UnavailableError    a neighbour (Redis, SQL) did not answer
"""

from dataclasses import dataclass


class TollgateError(Exception):
    """Base of everything Tollgate raises on purpose."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a resource: ``field`` is a dotted path such as ``spec.endpoints[0].format``."""

    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


class ManifestError(TollgateError):
    """A resource is wrong. ``problems`` names every field at fault."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(str(p) for p in problems))
        self.problems = problems


class ExpressionError(TollgateError):
    """A CEL or jq expression does not compile, or cannot be computed from what was seen."""


class BudgetError(ExpressionError):
    """An expression took more time or memory than it may; ``passing`` where it did not run and later it could."""

    def __init__(self, message: str, *, passing: bool = False) -> None:
        super().__init__(message)
        self.passing = passing


class QuantityError(TollgateError, ValueError):
    """A text is no quantity, or a quantity is out of range."""


class EventError(TollgateError):
    """A usage event cannot be read or posted; the message is the dead letter's reason."""


class QuoteError(TollgateError):
    """A quote was asked for what is not on offer; the message says what is."""


class UnavailableError(TollgateError):
    """A neighbour did not answer."""
