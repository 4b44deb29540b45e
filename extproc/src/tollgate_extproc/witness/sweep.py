"""Holds past their deadline: what no witness settled in time.

A meter's provisional word is recorded; without one the API's policy decides (quality ``estimated``, witness ``hold``).
Nothing is swept while the access log may still speak: only when it has been read past the deadline, or has been silent
for an hour.
"""

import structlog
from redis.asyncio import Redis
from redis.exceptions import WatchError

from tollgate_core.admission import Admission
from tollgate_core.events import UsageEvent
from tollgate_core.metering import Observation, settle_request
from tollgate_core.redis_contract import PARTITIONS, Keys, SettleRequest, raw, script_source, text
from tollgate_extproc.catalog_cache import CatalogCache
from tollgate_extproc.clock import Clock
from tollgate_extproc.settlement.settler import Settler

_log = structlog.get_logger("sweep")
_SILENCE_MS = 3_600_000
#: A mark this old has not counted for long, and is of a node that is gone.
_FORGOTTEN_MS = 24 * _SILENCE_MS
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
        marks: dict[str, int] = {}
        for node, mark in (await self._redis.hgetall(Keys.WATERMARKS)).items():
            marks[text(node)] = int(raw(mark))
        if any(moment <= now - _FORGOTTEN_MS for moment in marks.values()):
            await self._forget(now - _FORGOTTEN_MS)
        limit = min([now, *(moment for moment in marks.values() if moment > now - _SILENCE_MS)])
        settled = 0
        for partition in range(PARTITIONS):
            expired = await self._redis.zrangebyscore(  # pyright: ignore[reportUnknownMemberType]
                Keys.holds(partition), "-inf", limit, start=0, num=_AT_ONCE
            )
            for member in expired:
                settled += await self._settle(partition, text(member), now)
        return settled

    async def _forget(self, before: int) -> None:
        """Marks of nodes that are gone, which would else be read every second for ever. One that is only late has not
        counted either, and says its mark again when it has caught up."""
        async with self._redis.pipeline() as pipeline:
            await pipeline.watch(Keys.WATERMARKS)
            marks = await self._redis.hgetall(Keys.WATERMARKS)
            gone = [text(node) for node, mark in marks.items() if int(raw(mark)) <= before]
            if not gone:
                return
            pipeline.multi()  # type: ignore[no-untyped-call]
            pipeline.hdel(Keys.WATERMARKS, *gone)
            try:
                await pipeline.execute()
            except WatchError:
                return  # somebody published meanwhile, maybe one of these: another time
        _log.info("watermarks of nodes that are gone are forgotten", nodes=gone)

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
