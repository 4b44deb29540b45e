"""Asking the script. A subscription that has changed since it was looked up is looked up again."""

from collections.abc import Callable
from dataclasses import dataclass

import structlog
from redis.exceptions import RedisError

from tollgate_core.admission import Admission
from tollgate_core.redis_contract import AdmitRequest, Limit
from tollgate_extproc.clock import Clock
from tollgate_extproc.gate.admit import UNKNOWN_KEY, Admitter, Verdict, denial_of
from tollgate_extproc.gate.denial import Denial
from tollgate_extproc.gate.standings import limit_headers
from tollgate_extproc.gate.subscriptions import Subscription, Subscriptions

_log = structlog.get_logger("gate")
UNAVAILABLE = Denial(503, "admission_unavailable", "Admission is not available. Try again shortly.", 1000)
CHANGED = Denial(503, "subscription_changed", "The subscription just changed. Try again.", 1000)


@dataclass(frozen=True)
class Decision:
    """What the script said of these limits, and of the subscription as it was then."""

    verdict: Verdict
    limits: tuple[Limit, ...]
    subscription: Subscription

    @property
    def admitted(self) -> bool:
        """Whether it holds what was asked for."""
        return self.verdict.verdict == "admitted"

    @property
    def headers(self) -> dict[str, str]:
        """Of an admitted call's answer."""
        return limit_headers(self.limits, self.verdict.standings, self.subscription)

    @property
    def denial(self) -> Denial:
        """Of one that is not admitted."""
        return denial_of(self.verdict, self.limits, self.subscription)

    @property
    def refusing(self) -> Limit | None:
        """The limit that refuses."""
        return self.limits[self.verdict.limit - 1] if self.verdict.verdict == "limit" else None


class Decider:
    """Stateless but for the cache of subscriptions."""

    def __init__(self, subscriptions: Subscriptions, admitter: Admitter, clock: Clock, hold_ms: int) -> None:
        self._subscriptions = subscriptions
        self._admitter = admitter
        self._clock = clock
        self._hold_ms = hold_ms

    async def decide(
        self,
        subscription: Subscription,
        admission: Admission,
        limits_of: Callable[[Subscription], tuple[Limit, ...]],
        *,
        granted: bool,
    ) -> Decision | Denial:
        """``limits_of`` is asked anew where credit or a limit of the subscription's own has changed; where the terms
        have changed that the admission was worked out from, the call must be."""
        try:
            for _ in range(3):
                limits = limits_of(subscription)
                verdict = await self._ask(subscription, admission, limits, granted=granted)
                if verdict.verdict != "stale":
                    if verdict.verdict == "unknown_key":
                        self._subscriptions.forget(subscription.key_hash)
                    return Decision(verdict, limits, subscription)
                renewed = await self._subscriptions.look_up(subscription.key_hash)
                if renewed is None:
                    return UNKNOWN_KEY
                if renewed.terms != subscription.terms:
                    return CHANGED
                subscription = renewed
        except (RedisError, OSError) as error:
            _log.warning("redis did not answer", error=str(error))
            return UNAVAILABLE
        return UNAVAILABLE

    async def _ask(
        self, subscription: Subscription, admission: Admission, limits: tuple[Limit, ...], *, granted: bool
    ) -> Verdict:
        now = admission.started_ms or self._clock()
        return await self._admitter.admit(
            AdmitRequest(
                now_ms=now,
                deadline_ms=now + self._hold_ms,
                request=admission.id,
                partition=subscription.partition,
                subscription=subscription.name,
                key_hash=subscription.key_hash,
                revision=subscription.revision,
                granted=granted,
                admission=admission.encode(),
                limits=limits,
            )
        )
