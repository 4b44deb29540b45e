"""The admission itself: one script call, its verdict as an Admission or a Denial."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from redis.asyncio import Redis

from tollgate_core.redis_contract import THROTTLE, UNPAID, WALLET_METRIC, AdmitRequest, Limit, script_source
from tollgate_extproc.gate.denial import Denial
from tollgate_extproc.gate.standings import Standing, limit_headers
from tollgate_extproc.gate.subscriptions import Subscription

UNKNOWN_KEY = Denial(401, "invalid_api_key", "The API key is unknown, revoked or expired.")


class Verdict(msgspec.Struct, frozen=True):
    """The script's answer. ``limit`` is the number of the limit that refused, from 1; ``retry`` in ms."""

    verdict: str
    limit: int = 0
    retry: float = 0
    remaining: float = 0
    state: str = ""
    limits: Any = None

    @property
    def standings(self) -> list[Standing]:
        """One for each limit; Lua writes an empty list as an object."""
        return msgspec.convert(self.limits, list[Standing]) if self.limits else []


@dataclass(frozen=True)
class Admitter:
    """Calls the script."""

    call: Callable[[list[str], list[str | int | bytes]], Awaitable[bytes]]

    @staticmethod
    def over(redis: "Redis") -> "Admitter":
        """On one Redis connection pool."""
        script = redis.register_script(script_source("admit"))

        async def call(keys: list[str], args: list[str | int | bytes]) -> bytes:
            return bytes(await script(keys=keys, args=args))

        return Admitter(call)

    async def admit(self, request: AdmitRequest) -> Verdict:
        """Raises RedisError where Redis does not answer."""
        answer = await asyncio.shield(asyncio.ensure_future(self.call(request.keys(), request.args())))
        return msgspec.json.decode(answer, type=Verdict)


def denial_of(verdict: Verdict, limits: tuple[Limit, ...], subscription: Subscription) -> Denial:
    """A refusal in words. 401 unknown key, 403 state or endpoint, 402 credit, 429 limits, 503 where Redis is not filled
    yet."""
    match verdict.verdict:
        case "unknown_key":
            return UNKNOWN_KEY
        case "state" if verdict.state == UNPAID:
            text = "Calls are refused because an invoice of this subscription is overdue. Pay it to go on."
            return Denial(402, "payment_required", text)
        case "state":
            return Denial(403, "subscription_" + verdict.state, f"The subscription is {verdict.state}.")
        case "endpoint":
            return Denial(403, "endpoint_not_granted", "The subscription's product does not include this endpoint.")
        case "limit":
            standings = verdict.standings
            # When it is worth trying again is what this client wants to know of the limit that refused it.
            refusing = verdict.limit - 1
            standings[refusing] = msgspec.structs.replace(standings[refusing], reset=max(1000, verdict.retry))
            return _limit_denial(verdict, limits[refusing], limit_headers(limits, standings, subscription))
        case _:
            return Denial(503, "not_ready", "The gateway is starting. Try again shortly.", retry_after_ms=1000)


def _limit_denial(verdict: Verdict, limit: Limit, headers: dict[str, str]) -> Denial:
    seconds = max(1, -(-int(verdict.retry) // 1000))
    if limit.metric == WALLET_METRIC:
        text = f"The prepaid credit does not pay for this call: {max(0.0, verdict.remaining):.15g} is left. Top it up."
        return Denial(402, "insufficient_credit", text, headers=headers)
    if limit.kind == "counter":
        whose = " of this API key" if limit.per_key else ""
        text = f"The limit{whose} of {limit.limit:.15g} for {limit.metric} is used up for this period."
        return Denial(429, "quota_exceeded", text, int(verdict.retry), headers)
    if limit.name == THROTTLE:
        text = f"An invoice of this subscription is overdue, so few requests are let through. Try again in {seconds} s."
        return Denial(429, "payment_overdue", text, int(verdict.retry), headers)
    what = "Too many calls at once" if limit.kind == "concurrency" else "The rate limit is reached"
    return Denial(
        429, "rate_limit_exceeded", f"{what} ({limit.name}). Try again in {seconds} s.", int(verdict.retry), headers
    )
