"""Pricing: from quantities and price versions to the lines of a statement, as ``docs/pricing.md`` defines it.

Pure and exact (fractions); one rounding, in ``lines``. Here is no SQL, no clock and nothing of a request: what the
ledger knows comes in as a ``UsageReader``.
"""

from tollgate_core.pricing.account import Account, Pin, UsageReader
from tollgate_core.pricing.assessment import Due, Share, assess
from tollgate_core.pricing.calendar import Calendar, Span, divides
from tollgate_core.pricing.lines import Billed, Carried, History, Line, LineKey, statement_lines
from tollgate_core.pricing.models import Part, cost, marginal, parts
from tollgate_core.pricing.terms import Terms, Tier, terms_of

__all__ = [
    "Account",
    "Billed",
    "Calendar",
    "Carried",
    "Due",
    "History",
    "Line",
    "LineKey",
    "Part",
    "Pin",
    "Share",
    "Span",
    "Terms",
    "Tier",
    "UsageReader",
    "assess",
    "cost",
    "divides",
    "marginal",
    "parts",
    "statement_lines",
    "terms_of",
]
