"""Publishing settlements until the ledger confirms them.

A settlement is sent, and sent again whenever Redis turns out to have lost it; the script and the ledger make every
repetition harmless. It is forgotten when Redis says that the ledger has committed the event. Redis away: settlements
wait in memory and, where there is a spool, on disk.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from tollgate_core.admission import Admission
from tollgate_core.events import UsageEvent
from tollgate_core.metering import Draft, EndpointPlan, Measured, Observation, settle_request
from tollgate_core.redis_contract import Keys, SettleRequest, script_source
from tollgate_extproc.budget.evaluate import Expressions
from tollgate_extproc.catalog_cache import CatalogCache
from tollgate_extproc.clock import Clock
from tollgate_extproc.metrics import Metrics
from tollgate_extproc.settlement.joining import join
from tollgate_extproc.settlement.spool import Spool

_log = structlog.get_logger("settlement")
_BATCH = 256
_POLL_SECONDS = 0.5
_BACKOFF_SECONDS = (0.05, 0.1, 0.2, 0.5, 1.0)


@dataclass
class _Outstanding:
    request: SettleRequest
    sent: bool = False
    spooled: bool = False


class Settler:
    """One per process. ``on_confirmed`` hears the id of every event that is safe in the ledger."""

    def __init__(
        self,
        redis: "Redis",
        catalogs: CatalogCache,
        clock: Clock,
        *,
        join_grace_seconds: int,
        metrics: Metrics,
        expressions: Expressions,
        spool: Spool | None = None,
        on_confirmed: Callable[[str], None] | None = None,
    ) -> None:
        self._redis = redis
        self._catalogs = catalogs
        self._clock = clock
        self._grace_ms = join_grace_seconds * 1000
        self._metrics = metrics
        self._expressions = expressions
        self._measuring: dict[tuple[str, str, bool], asyncio.Task[None]] = {}
        self._spool = spool
        self._on_confirmed = on_confirmed
        self._script = redis.register_script(script_source("settle"))
        self._outstanding: dict[str, _Outstanding] = {}
        self._unsent: dict[str, None] = {}
        self._wake = asyncio.Event()
        for request in spool.load() if spool else []:
            self._outstanding[request.request] = _Outstanding(request, spooled=True)
            self._unsent[request.request] = None

    @property
    def backlog(self) -> int:
        """Events that the ledger has not confirmed yet."""
        return len(self._outstanding)

    def settle(self, admission: Admission, seen: Observation, *, final: bool) -> None:
        """Write the event and queue its settlement; returns at once. A word that is not exact, or not ``final``, is
        kept as provisional until the access log has spoken. An expression that could take long is waited for in the
        background; until then the access log's reader has not confirmed the line."""
        plans = self._catalogs.plans(admission.catalog)
        plan = plans.endpoints.get(admission.endpoint) if plans else None
        draft = Draft(admission, plan, seen)
        measurement = draft.measurement
        if plan is None or measurement is None:
            self._write(admission, plan, seen, draft.event(None), final=final)
        elif measurement.is_cheap():
            self._write(admission, plan, seen, draft.event(measurement.run()), final=final)
        elif (key := (admission.id, seen.witness, final)) not in self._measuring:
            task = asyncio.ensure_future(self._settle_later(admission, plan, seen, draft, final=final))
            self._measuring[key] = task
            task.add_done_callback(lambda _: self._measuring.pop(key))

    async def _settle_later(
        self, admission: Admission, plan: EndpointPlan, seen: Observation, draft: Draft, *, final: bool
    ) -> None:
        assert draft.measurement is not None  # noqa: S101
        try:
            measured = await self._expressions.measure(draft.measurement, plan.api.name)
        except Exception:
            _log.exception("a call could not be measured", request=admission.id)
            measured = Measured({}, {"*": "the expressions could not be evaluated"})
        self._write(admission, plan, seen, draft.event(measured), final=final)

    def _write(
        self, admission: Admission, plan: EndpointPlan | None, seen: Observation, event: UsageEvent, *, final: bool
    ) -> None:
        self._metrics.settled(event)
        decided = seen.witness != "meter" or (final and plan is not None and event.data.quality == "exact")
        deadline = 0 if decided else self._clock() + self._grace_ms
        self.submit(settle_request(admission, event, final=decided, deadline_ms=deadline))

    def submit(self, request: SettleRequest) -> None:
        """Queue one settlement."""
        self._outstanding[request.request] = _Outstanding(request)
        self._unsent[request.request] = None
        self._wake.set()

    async def run(self) -> None:
        """Send and poll for ever."""
        failures = 0
        next_poll = 0.0
        loop = asyncio.get_running_loop()
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), _POLL_SECONDS)
            self._wake.clear()
            self._metrics.backlog(self.backlog)
            try:
                await self._send_all()
                if self._outstanding and loop.time() >= next_poll:
                    await self._poll()
                    next_poll = loop.time() + _POLL_SECONDS
                failures = 0
            except (RedisError, OSError) as error:
                self._to_spool()
                _log.warning("redis did not take settlements; trying again", waiting=self.backlog, error=str(error))
                await asyncio.sleep(_BACKOFF_SECONDS[min(failures, len(_BACKOFF_SECONDS) - 1)])
                failures += 1
                self._wake.set()

    async def drain(self, seconds: float) -> None:
        """Before the process ends: send what is queued, and keep on disk what could not be sent."""
        if self._measuring:
            await asyncio.wait(self._measuring.values(), timeout=seconds)
        with contextlib.suppress(TimeoutError, RedisError, OSError):
            await asyncio.wait_for(self._send_all(), seconds)
        self._to_spool()

    async def _send_all(self) -> None:
        while self._unsent:
            names = list(self._unsent)[:_BATCH]
            items = [self._outstanding[name] for name in names if name in self._outstanding]
            # Before the answer comes: one that is queued again meanwhile must stay queued.
            for name in names:
                self._unsent.pop(name, None)
            answers = await self._send(items)
            error: Exception | None = None
            for item, answer in zip(items, answers, strict=True):
                if isinstance(answer, Exception):
                    error = answer
                    self._unsent[item.request.request] = None
                else:
                    self._answered(item, answer)
            if error is not None:
                raise error if isinstance(error, RedisError) else RedisError(str(error))

    async def _send(self, items: list[_Outstanding]) -> list[Any]:
        try:
            async with self._redis.pipeline(transaction=False) as pipeline:
                for item in items:
                    await self._script(keys=item.request.keys(), args=item.request.args(), client=pipeline)
                answers: list[Any] = await pipeline.execute(raise_on_error=False)
        except BaseException:
            self._unsent |= {item.request.request: None for item in items}
            raise
        return answers

    def _answered(self, item: _Outstanding, answer: list[bytes]) -> None:
        status, detail = bytes(answer[0]).decode(), bytes(answer[1])
        item.sent = True
        if status == "duplicate" and detail == b"confirmed":
            self._confirmed(item.request.request)
        elif status == "join":
            event = join(UsageEvent.decode(item.request.event), UsageEvent.decode(detail))
            admission = Admission.decode(item.request.admission)
            item.request = settle_request(admission, event, final=True, joined=True)
            item.sent = False
            self._unsent[item.request.request] = None

    async def _poll(self) -> None:
        """Ask what became of everything that was sent; what Redis does not know is sent again."""
        for items in self._batches([item for item in self._outstanding.values() if item.sent]):
            async with self._redis.pipeline(transaction=False) as pipeline:
                for item in items:
                    pipeline.get(Keys.settled(item.request.partition, item.request.request))
                states: list[bytes | None] = await pipeline.execute()
            for item, state in zip(items, states, strict=True):
                if state is None:
                    item.sent = False
                    self._unsent[item.request.request] = None
                elif bytes(state) == b"confirmed":
                    self._confirmed(item.request.request)
        if self._spool and not any(item.spooled for item in self._outstanding.values()):
            self._spool.clear()

    @staticmethod
    def _batches(items: list[_Outstanding]) -> Iterator[list[_Outstanding]]:
        for start in range(0, len(items), 1000):
            yield items[start : start + 1000]

    def _confirmed(self, request: str) -> None:
        self._outstanding.pop(request, None)
        if self._on_confirmed is not None:
            self._on_confirmed(request)

    def _to_spool(self) -> None:
        if self._spool is None:
            return
        waiting = [item for item in self._outstanding.values() if not item.sent and not item.spooled]
        self._spool.append(item.request for item in waiting)
        for item in waiting:
            item.spooled = True
