"""What clients are told of their limits, in response headers of admitted and refused calls.

``RateLimit-Policy`` and ``RateLimit`` are those of the IETF draft (httpapi-ratelimit-headers); ``x-tollgate-quota``
says the same of metric limits for people, ``x-tollgate-credit`` what is left of prepaid credit.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal

import msgspec

from tollgate_core.money import minor_unit_exponent
from tollgate_core.quantity import format_decimal
from tollgate_core.redis_contract import WALLET_METRIC, Limit
from tollgate_extproc.gate.subscriptions import Subscription, Wallet

#: The largest integer of a structured field (RFC 9651).
_LARGEST = 10**15 - 1


class Standing(msgspec.Struct, frozen=True):
    """What is left of a limit, after this request where it was admitted; ``reset`` in ms."""

    remaining: float
    reset: float


@dataclass(frozen=True)
class Shown:
    """A limit and how it stands."""

    limit: Limit
    standing: Standing

    @property
    def remaining(self) -> float:
        """A soft limit, and one that was lowered, may be exceeded."""
        return max(0.0, self.standing.remaining)

    @property
    def seconds(self) -> int:
        """Until it is there in full again."""
        return max(0, -(-int(self.standing.reset) // 1000))


def limit_headers(limits: Sequence[Limit], standings: Sequence[Standing], subscription: Subscription) -> dict[str, str]:
    """By name. The credit is no limit per time, and is told apart."""
    every = [Shown(limit, standing) for limit, standing in zip(limits, standings, strict=False)]
    shown = [one for one in every if one.limit.metric != WALLET_METRIC]
    counters = [one for one in shown if one.limit.kind == "counter"]
    headers: dict[str, str] = {}
    if shown:
        partition = base64.b64encode(subscription.api_key.encode()).decode()
        headers["ratelimit-policy"] = ", ".join(_policy(one.limit) + _partition(one, partition) for one in shown)
        headers["ratelimit"] = ", ".join(_field(one) + _partition(one, partition) for one in shown)
    if counters:
        headers["x-tollgate-quota"] = ", ".join(_quota(one) for one in counters)
    if subscription.wallet and subscription.wallet.currency and len(every) > len(shown):
        headers["x-tollgate-credit"] = _credit(every[-1].standing.remaining, subscription.wallet)
    return headers


def _policy(limit: Limit) -> str:
    if limit.kind == "concurrency":
        return f'"{limit.name}";q={_whole(limit.limit)};qu="concurrent-requests"'
    window = limit.seconds if limit.kind == "counter" else round(limit.limit / limit.rate / 1000) if limit.rate else 0
    return f'"{limit.name}";q={_whole(limit.limit)};w={max(1, window)}'


def _field(shown: Shown) -> str:
    return f'"{shown.limit.name}";r={_whole(shown.remaining)};t={shown.seconds}'


def _partition(shown: Shown, partition: str) -> str:
    return f";pk=:{partition}:" if shown.limit.per_key else ""


def _quota(shown: Shown) -> str:
    limit = shown.limit
    kind = "soft" if limit.soft else "hard"
    used = _number(max(0.0, limit.limit - shown.standing.remaining))
    return (
        f'"{limit.name}";type={kind};limit={_number(limit.limit)};used={used};'
        f"remaining={_number(shown.remaining)};reset={shown.seconds}"
    )


def _credit(remaining: float, wallet: Wallet) -> str:
    """Without the overdraft; what calls in flight hold is taken. Rounded down to whole minor units."""
    available = Decimal(repr(round(remaining - wallet.overdraft, 9) + 0.0))  # no minus zero
    smallest = Decimal(1).scaleb(-minor_unit_exponent(wallet.currency))
    return f"{available.quantize(smallest, rounding=ROUND_FLOOR):f} {wallet.currency}"


def _whole(number: float) -> int:
    return min(int(number), _LARGEST)


def _number(number: float) -> str:
    return format_decimal(Decimal(repr(round(number, 3))))
