"""Requests that the gate admitted without Envoy hearing of it: the gate died, or the client left, in between.

Nothing of them reached an upstream. Their log line has the request's id but no admission record, so the hold is looked
for, and settled at no charge.
"""

from collections.abc import Callable

from redis.asyncio import Redis

from tollgate_core.admission import Admission
from tollgate_core.metering import Observation
from tollgate_core.redis_contract import PARTITIONS, Keys, raw
from tollgate_extproc.catalog_cache import CatalogCache
from tollgate_extproc.settlement.settler import Settler
from tollgate_extproc.witness.line import Line


class Orphans:
    """Collected while the log is read, released once a second."""

    def __init__(
        self, redis: "Redis", catalogs: CatalogCache, settler: Settler, nothing_held: Callable[[str], None]
    ) -> None:
        self._redis = redis
        self._catalogs = catalogs
        self._settler = settler
        self._nothing_held = nothing_held
        self._waiting: dict[str, Line] = {}

    def add(self, request: str, line: Line) -> None:
        """A request that may hold something."""
        self._waiting[request] = line

    async def release(self) -> None:
        """Settle those that hold something. Raises RedisError; what was not looked up stays for the next call."""
        for request, line in list(self._waiting.items()):
            async with self._redis.pipeline(transaction=False) as pipeline:
                for partition in range(PARTITIONS):
                    pipeline.hget(Keys.hold(partition, request), "admission")
                answers: list[object] = await pipeline.execute()
            found = next((answer for answer in answers if answer is not None), None)
            if found is None:
                del self._waiting[request]
                self._nothing_held(request)
                continue
            # Whatever the line says: the upstream was not called, so this is a complete answer of an error.
            seen = Observation(
                witness="access_log",
                ending="complete",
                ended_ms=int(line.start or 0) + (line.duration or 0),
                status=line.code if line.code and line.code >= 400 else 499,
            )
            admission = Admission.decode(raw(found))
            await self._catalogs.ensure(admission.catalog)
            del self._waiting[request]
            self._settler.settle(admission, seen, final=True)
