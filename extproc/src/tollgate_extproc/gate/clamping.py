"""A shorter answer for a call whose credit does not pay for a long one (docs/decisions/0019-clamped-output.md)."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tollgate_extproc.budget.evaluate import Expressions
from tollgate_extproc.gate.limits import Estimate, estimated_quantities
from tollgate_extproc.gate.wallet import Call, cost_of

#: What an answer with so many output tokens costs; None where that cannot be known.
Cost = Callable[[int], Awaitable[float | None]]
#: Less than what the script forgives (1e-14 of the limit) by the rounding of its answer to 14 digits.
_SLACK = 4e-15
_STEPS = 100


@dataclass(frozen=True)
class Offer:
    """A call as it would go up, and what it may use. ``clamped`` is its lowered bound, 0 where it is the client's."""

    body: dict[str, Any] | None
    guess: Estimate
    quantities: Mapping[str, float]
    clamped: int = 0


@dataclass(frozen=True)
class Credit:
    """All that may be spent, and what is left of it."""

    limit: float
    remaining: float


async def shorter(
    offer: Offer,
    call: Call,
    rates: Mapping[str, float],
    credit: Credit,
    captured: Mapping[str, Any],
    expressions: Expressions,
) -> Offer | None:
    """The longest answer for which the credit pays; None where it does not pay for any."""
    fmt, guess = call.plan.format, offer.guess
    least = fmt.least_output_tokens(offer.body) if fmt and offer.body is not None else None
    if fmt is None or offer.body is None or least is None or least >= guess.output or credit.remaining <= 0:
        return None

    async def quantities(output: int) -> dict[str, float]:
        return await estimated_quantities(call.plan, Estimate(guess.input, output), captured, expressions)

    async def cost(output: int) -> float | None:
        found = await quantities(output)
        return cost_of(rates, found) if rates.keys() <= found.keys() else None

    tokens = await affordable(cost, least, guess.output, credit.remaining + abs(credit.limit) * _SLACK)
    if tokens is None:
        return None
    body = fmt.bound_output(offer.body, tokens)
    bound = fmt.max_output_tokens(body) or tokens
    return Offer(body, Estimate(guess.input, bound), await quantities(bound), bound)


async def affordable(cost: Cost, least: int, most: int, credit: float) -> int | None:
    """The largest number from ``least`` to below ``most`` that costs at most ``credit``, of a cost that does not fall;
    ``most`` costs more. Where the cost is a straight line, which it nearly always is, the first guess is right."""
    low, high = least, most
    low_cost, high_cost = await cost(low), await cost(high)
    if low_cost is None or high_cost is None or low_cost > credit:
        return None
    for step in range(_STEPS):
        if high - low <= 1:
            break
        middle = (low + high) // 2
        if step % 2 == 0 and high_cost > low_cost:
            middle = low + int((high - low) * ((credit - low_cost) / (high_cost - low_cost)))
        middle = min(max(middle, low + 1), high - 1)
        middle_cost = await cost(middle)
        if middle_cost is None:
            return None
        if middle_cost <= credit:
            low, low_cost = middle, middle_cost
        else:
            high, high_cost = middle, middle_cost
    return low
