"""What the Envoys of all replicas said: each replica shares its own through Redis, the leader reads all.

Each replica serves some of the Envoys. A resource is programmed when all of them run it, whoever serves them.
"""

import json
from collections.abc import Mapping
from typing import Any

from redis.asyncio import Redis

from tollgate_core.redis_contract import Keys, text
from tollgate_operator.cluster.clock import Clock
from tollgate_operator.xds import Report

_FORGOTTEN_SECONDS = 15.0


class Peers:
    """Raises RedisError or OSError where Redis does not answer."""

    def __init__(self, redis: "Redis", identity: str, clock: Clock) -> None:
        self._redis = redis
        self._identity = identity
        self._clock = clock

    async def share(self, reports: Mapping[str, Report | None]) -> None:
        """Say what our Envoys said; again every few seconds, or we count as gone."""
        words = {name: _encode(report) for name, report in reports.items()}
        entry = json.dumps({"at": self._clock().timestamp(), "envoys": words})
        await self._redis.hset(Keys.OPERATORS, self._identity, entry)

    async def leave(self) -> None:
        """Our Envoys go elsewhere."""
        await self._redis.hdel(Keys.OPERATORS, self._identity)

    async def others(self) -> dict[str, Report | None]:
        """Reports of all Envoys that other replicas serve."""
        found: dict[str, Report | None] = {}
        for name, entry in (await self._redis.hgetall(Keys.OPERATORS)).items():
            replica = text(name)
            if replica == self._identity:
                continue
            content: dict[str, Any] = json.loads(entry)
            if self._clock().timestamp() - content["at"] > _FORGOTTEN_SECONDS:
                await self._redis.hdel(Keys.OPERATORS, replica)
                continue
            found |= {f"{replica} {stream}": _decode(word) for stream, word in content["envoys"].items()}
        return found


def _encode(report: Report | None) -> dict[str, Any] | None:
    return {"version": report.version, "errors": list(report.errors)} if report else None


def _decode(word: Mapping[str, Any] | None) -> Report | None:
    return Report(word["version"], tuple(word["errors"])) if word else None
