"""Holds past their deadline: what no witness settled in time.

A meter's provisional word is recorded; without one the API's policy decides (quality ``estimated``, witness ``hold``).
Nothing is swept while the access log may still speak: only when it has been read past the deadline, or has been silent
for an hour.
"""

import structlog
from redis.asyncio import Redis

from tollgate_core.admission import Admission
from tollgate_core.events import UsageEvent
from tollgate_core.metering import Observation, settle_request
from tollgate_core.redis_contract import PARTITIONS, Keys, SettleRequest, raw, script_source, text
from tollgate_extproc.catalog_cache import CatalogCache
from tollgate_extproc.clock import Clock
from tollgate_extproc.settlement.settler import Settler

_log = structlog.get_logger("sweep")
_SILENCE_MS = 3_600_000
_AT_ONCE = 500


class Sweeper:
    """Settles expired holds of all partitions."""

    def __init__(self, redis: "Redis", catalogs: CatalogCache, settler: Settler, clock: Clock) -> None:
        self._redis = redis
        self._catalogs = catalogs
        self._settler = settler
        self._script = redis.register_script(script_source("settle"))
        self._clock = clock

    async def publish(self, node: str, watermark_ms: int) -> None:
        """Say up to where this node's log has been read. Raises RedisError."""
        await self._redis.hset(Keys.WATERMARKS, node, str(watermark_ms))

    async def sweep(self) -> int:
        """How many were settled. The slowest witness decides how far; one that is silent for an hour no longer counts.
        Raises RedisError."""
        now = self._clock()
        answers = await self._redis.hvals(Keys.WATERMARKS)
        silent = now - _SILENCE_MS
        limit = min([now, *(moment for answer in answers if (moment := int(raw(answer))) > silent)])
        settled = 0
        for partition in range(PARTITIONS):
            expired = await self._redis.zrangebyscore(  # pyright: ignore[reportUnknownMemberType]
                Keys.holds(partition), "-inf", limit, start=0, num=_AT_ONCE
            )
            for member in expired:
                settled += await self._settle(partition, text(member), now)
        return settled

    async def release_settled(self) -> None:
        """Holds of requests that are settled: a Redis that lost its last writes may have them again. Raises
        RedisError."""
        for partition in range(PARTITIONS):
            members = await self._redis.zrange(  # pyright: ignore[reportUnknownMemberType]
                Keys.holds(partition), 0, _AT_ONCE - 1
            )
            requests = [text(member) for member in members]
            async with self._redis.pipeline(transaction=False) as pipeline:
                for request in requests:
                    pipeline.get(Keys.settled(partition, request))
                states: list[object] = await pipeline.execute()
            for request, state in zip(requests, states, strict=True):
                if state is not None:
                    call = SettleRequest(
                        request=request, partition=partition, event=b"", final=False, admission="", release_only=True
                    )
                    await self._script(keys=call.keys(), args=call.args())

    async def _settle(self, partition: int, request: str, now: int) -> bool:
        key = Keys.hold(partition, request)
        record, provisional = await self._redis.hmget(key, ["admission", "provisional"])
        if record is None:
            await self._redis.zrem(Keys.holds(partition), request)
            return False
        admission = Admission.decode(raw(record))
        await self._catalogs.ensure(admission.catalog)
        if provisional is not None:
            event = UsageEvent.decode(raw(provisional))
            self._settler.submit(settle_request(admission, event, final=True, joined=True))
        else:
            seen = Observation(witness="hold", ending="unknown", ended_ms=now, streamed=admission.streamed)
            self._settler.settle(admission, seen, final=True)
        _log.warning("a hold expired", request=request, provisional=provisional is not None)
        return True
