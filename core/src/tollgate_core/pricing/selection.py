"""Which price charges a call: ``docs/pricing.md``, "Which price applies".

A condition sees the usage event alone, so that a call can be priced again, and explained, from what the ledger keeps.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from tollgate_core.catalog import Price
from tollgate_core.errors import ExpressionError
from tollgate_core.events import UsageEvent
from tollgate_core.expressions import CelExpression, Scope, admit_cel, compile_cel
from tollgate_core.expressions.source import comprehensions
from tollgate_core.metering.plan import DIMENSIONS

_INPUT = frozenset(
    {"input", "cache_read", "cache_write", "cache_write_1h", "audio_input", "image_input", "video_input"}
    | {"tool_use_input"}
)
CONDITION_SCOPE = Scope(
    frozenset(
        {"model", "requestedModel", "servedModel", "endpoint", "api", "format", "streamed", "dimensions", "usage"}
        | {"quantity", "inputTokens", "serviceTier", "time", "local"}
    )
)
Variables = Mapping[str, object]
#: What is known of a call at admission. (An upstream may serve another model than the requested one; then the event's
#: own condition decides.)
_BEFORE_THE_CALL = frozenset({"model", "requestedModel", "endpoint", "api", "format", "streamed"})


@lru_cache(maxsize=1024)
def compile_condition(source: str) -> CelExpression:
    """Raises ExpressionError that says what is wrong."""
    return compile_cel(source, CONDITION_SCOPE)


def try_condition(source: str) -> None:
    """Raises ExpressionError where the condition may not be used, or gives no bool for a made-up call. Conditions run
    where nothing can stop them, for every event: so they have no loops."""
    if comprehensions(source)[1]:
        raise ExpressionError("a price's condition takes no all, exists, exists_one, map and filter")
    expression = admit_cel(source, CONDITION_SCOPE)
    if expression.roots <= _BEFORE_THE_CALL | {"servedModel"}:
        value = expression.evaluate(dict.fromkeys(expression.roots - {"streamed"}, "") | {"streamed": False})
        if not isinstance(value, bool):
            raise ExpressionError(f"must give a bool, not {type(value).__name__}")


def event_variables(event: UsageEvent, zone: str) -> dict[str, object]:
    """What conditions see of a call; ``quantity`` is added for each metric."""
    data, moment = event.data, datetime.fromisoformat(event.time)
    usage: dict[str, Any] = data.usage or {}
    local = moment.astimezone(ZoneInfo(zone))
    tier = usage.get("service_tier")
    return {
        "model": data.served_model or data.requested_model,
        "requestedModel": data.requested_model,
        "servedModel": data.served_model,
        "endpoint": data.endpoint,
        "api": data.endpoint.rpartition("/")[0],
        "format": data.format or "",
        "streamed": data.streamed,
        "dimensions": {**dict.fromkeys(DIMENSIONS, 0), **data.dimensions},
        "usage": usage,
        "inputTokens": sum(tokens for name, tokens in data.dimensions.items() if name in _INPUT),
        "serviceTier": tier if isinstance(tier, str) else "",
        "time": moment,
        "local": {
            "year": local.year,
            "month": local.month,
            "day": local.day,
            "hour": local.hour,
            "minute": local.minute,
            "weekday": local.isoweekday(),
        },
    }


def in_order(prices: Iterable[Price]) -> tuple[Price, ...]:
    """Conditional prices by priority and name, then the one without a condition."""
    return tuple(sorted(prices, key=lambda price: (not price.when, -price.priority, price.name)))


def choose(prices: Sequence[Price], variables: Variables, quantity: Decimal) -> Price | None:
    """The first price ``in_order`` that applies. A condition that cannot be computed for this call (a field that its
    usage lacks) does not hold."""
    for price in prices:
        if not price.when or _holds(price.when, variables, quantity):
            return price
    return None


def may_apply(price: Price, endpoint: str, format_name: str, model: str, *, streamed: bool) -> bool:
    """Whether a price could charge a call that is about to be made."""
    return condition_before(price.when, endpoint, format_name, model, streamed=streamed) is not False


def condition_before(when: str, endpoint: str, format_name: str, model: str, *, streamed: bool) -> bool | None:
    """Whether a condition holds for a call that is about to be made; None where only the response will tell."""
    if not when:
        return True
    expression = compile_condition(when)
    if not expression.roots <= _BEFORE_THE_CALL:
        return None
    variables = {
        "model": model,
        "requestedModel": model,
        "endpoint": endpoint,
        "api": endpoint.rpartition("/")[0],
        "format": format_name,
        "streamed": streamed,
    }
    return _holds(when, variables, Decimal(0))


@dataclass(frozen=True)
class Tried:
    """A price that was tried; ``reason`` says why its condition could not be computed."""

    price: Price
    holds: bool
    reason: str = ""


def tried(prices: Sequence[Price], variables: Variables, quantity: Decimal) -> Iterator[Tried]:
    """How ``choose`` came to its answer: every price up to the one that applies."""
    for price in prices:
        try:
            holds, reason = not price.when or _evaluate(price.when, variables, quantity) is True, ""
        except ExpressionError as error:
            holds, reason = False, str(error)
        yield Tried(price, holds, reason)
        if holds:
            return


def _holds(source: str, variables: Variables, quantity: Decimal) -> bool:
    try:
        return _evaluate(source, variables, quantity) is True
    except ExpressionError:
        return False


def _evaluate(source: str, variables: Variables, quantity: Decimal) -> object:
    number = int(quantity) if quantity == quantity.to_integral_value() else float(quantity)
    return compile_condition(source).evaluate({**variables, "quantity": number})
