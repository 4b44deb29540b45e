"""Sending webhooks: the only part of a simulator that opens connections."""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable
from dataclasses import replace

import httpx

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.payments.clock import Clock
from tollgate_sandbox.payments.deliveries import Deliveries, Delivery, Sign
from tollgate_sandbox.payments.policy import Policy, order

LOOK_AGAIN_SECONDS = 1.0
ANSWER_SECONDS = 10.0


class Sender:
    """Works the queue off under a policy; one send at a time, so that an order asked for is the order kept."""

    def __init__(self, deliveries: Deliveries, clock: Clock, sign: Sign, sent: Callable[[], None]) -> None:
        self.policy = Policy()
        self._deliveries = deliveries
        self._clock = clock
        self._sign = sign
        self._sent = sent
        self._chance = random.Random(0)  # noqa: S311 - reproducible disorder, nothing secret
        self._wake = asyncio.Event()
        self._sending = asyncio.Lock()
        self._client: httpx.AsyncClient | None = None

    def configure(self, policy: Policy) -> None:
        """Start over with this policy and its seed."""
        self.policy = policy
        self._chance = random.Random(policy.seed)  # noqa: S311
        self._wake.set()

    def wake(self) -> None:
        """There may be something to send."""
        self._wake.set()

    async def run(self) -> None:
        """Send what is due for as long as the mode is auto."""
        while True:
            self._wake.clear()
            if self.policy.mode == "auto":
                await self._send(self._deliveries.pending(self._clock.now()))
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._wake.wait(), LOOK_AGAIN_SECONDS)

    async def deliver(self) -> list[Json]:
        """Send all that waits, due or not, and tell what each endpoint said."""
        return await self._send(self._deliveries.pending())

    async def _send(self, waiting: list[Delivery]) -> list[Json]:
        if not waiting:
            return []
        async with self._sending:
            sends = order([one for one in waiting if one.state == "pending"], self.policy, self._chance)
            self._spend_drops(len(sends))
            said = [await self._one(delivery, arrives) for delivery, arrives in sends]
            self._sent()
            return said

    async def close(self) -> None:
        """Send nothing more."""
        if self._client is not None:
            await self._client.aclose()

    def _spend_drops(self, sends: int) -> None:
        left = max(0, self.policy.drop_next - sends)
        self.policy = replace(self.policy, drop_next=left)

    async def _one(self, delivery: Delivery, arrives: bool) -> Json:
        if self.policy.delay_ms:
            await asyncio.sleep(self.policy.delay_ms / 1000)
        status, error = await self._post(delivery) if arrives else (None, "dropped")
        delivery.record(self._clock.now(), status, error, self._deliveries.schedule)
        return {"event": delivery.event, "type": delivery.type, "url": delivery.target.url} | delivery.attempts[-1]

    async def _post(self, delivery: Delivery) -> tuple[int | None, str | None]:
        """Signed with the machine's time: receivers compare it with theirs, whatever the simulator's clock says."""
        self._client = self._client or httpx.AsyncClient(timeout=ANSWER_SECONDS, trust_env=False)
        headers = self._sign(delivery.body, delivery.target.secret, int(time.time()))
        headers["content-type"] = "application/json; charset=utf-8"
        try:
            answer = await self._client.post(delivery.target.url, content=delivery.body.encode(), headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as failure:
            return None, f"{type(failure).__name__}: {failure}"
        return answer.status_code, None if answer.is_success else answer.text[:200]
