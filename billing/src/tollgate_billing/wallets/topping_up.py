"""Whether credit is topped up by itself now. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

DAY_MS = 86_400_000
_MONTH_DAYS = 30

State = Literal["pending", "paid", "failed", "cancelled"]
Reason = Literal["customer", "automatic"]
Withheld = Literal["pending", "stopped", "per_day", "per_month", "not_allowed"]


@dataclass(frozen=True)
class TopUp:
    """``note`` is how it was paid, or why it failed."""

    id: str
    subscription: str
    customer: str
    minor: int
    currency: str
    reason: Reason
    state: State
    note: str
    created_ms: int
    settled_ms: int | None


@dataclass(frozen=True)
class Automatic:
    """What a customer asked for: ``amount_minor`` whenever less than ``below_minor`` is available, at most
    ``month_minor`` in 30 days. It is ``stopped`` after a failed payment, until it is asked for again."""

    subscription: str
    below_minor: int
    amount_minor: int
    month_minor: int
    state: Literal["active", "stopped"]
    since_ms: int


@dataclass(frozen=True)
class Allowed:
    """What the product allows, in minor units."""

    least_minor: int
    most_minor: int
    per_day: int
    month_minor: int


def top_up_now(
    wanted: Automatic, allowed: Allowed | None, earlier: Iterable[TopUp], available_minor: int, now_ms: int
) -> Withheld | bool:
    """True where one is to be made, False where there is enough credit; else why it is withheld. One at a time: until
    it is paid or has failed nobody knows whether another one is needed."""
    if available_minor >= wanted.below_minor:
        return False
    if wanted.state == "stopped":
        return "stopped"
    if allowed is None or not allowed.least_minor <= wanted.amount_minor <= allowed.most_minor:
        return "not_allowed"
    automatic: list[TopUp] = []
    for top_up in earlier:
        if top_up.state == "pending":
            return "pending"
        if top_up.reason == "automatic" and top_up.state != "failed":
            automatic.append(top_up)
    if sum(now_ms - top_up.created_ms < DAY_MS for top_up in automatic) >= allowed.per_day:
        return "per_day"
    month = sum(t.minor for t in automatic if now_ms - t.created_ms < _MONTH_DAYS * DAY_MS)
    over = month + wanted.amount_minor > min(wanted.month_minor, allowed.month_minor)
    return "per_month" if over else True
