"""The current catalog, followed from Redis. Redis away: the last one known serves on."""

import asyncio
from collections import OrderedDict

import msgspec
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from tollgate_core.catalog import Catalog
from tollgate_core.errors import TollgateError
from tollgate_core.metering import Plans
from tollgate_core.redis_contract import Keys, raw, text

_log = structlog.get_logger("catalog")
_KEPT = 64
_POLL_SECONDS = 0.25


class CatalogCache:
    """Compiled plans of the current catalog and of recent ones, for requests that were admitted under them."""

    def __init__(self, redis: "Redis") -> None:
        self._redis = redis
        self._plans: OrderedDict[str, Plans] = OrderedDict()
        self.current: Plans | None = None

    def problems(self) -> list[str]:
        """What keeps this process from serving."""
        return [] if self.current else ["no catalog yet: the operator has not published one, or Redis does not answer"]

    def plans(self, hashed: str) -> Plans | None:
        """The plans of exactly that catalog; another one's rules would bill something else."""
        return self._plans.get(hashed)

    async def ensure(self, hashed: str) -> None:
        """Load a catalog that this process has not seen, such as one from before its start. Raises RedisError."""
        if hashed in self._plans:
            return
        encoded = await self._redis.get(Keys.catalog(hashed))
        if encoded is not None:
            self._compile(hashed, raw(encoded))

    async def refresh(self) -> None:
        """Load the catalog if it changed. Raises RedisError where Redis is away."""
        hashed = await self._redis.hget(Keys.CATALOG, "hash")
        if hashed is None or (self.current and self.current.hash == text(hashed)):
            return
        name, encoded = await self._redis.hmget(Keys.CATALOG, ["hash", "json"])
        if name is None or encoded is None:
            return
        self.current = self._compile(text(name), raw(encoded)) or self.current

    def _compile(self, hashed: str, encoded: bytes) -> Plans | None:
        """A catalog that cannot be compiled is not taken over: what serves, serves on."""
        if hashed in self._plans:
            return self._plans[hashed]
        try:
            plans = Plans(Catalog.decode(encoded), hashed)
        except (TollgateError, msgspec.DecodeError) as error:
            _log.error("a catalog was refused", hash=hashed, error=str(error))
            return None
        self._plans[hashed] = plans
        while len(self._plans) > _KEPT:
            self._plans.popitem(last=False)
        _log.info("catalog", hash=hashed, endpoints=len(plans.endpoints))
        return plans

    async def follow(self) -> None:
        """Refresh for ever."""
        while True:
            try:
                await self.refresh()
            except (RedisError, OSError) as error:
                _log.debug("catalog not refreshed", error=str(error))
            await asyncio.sleep(_POLL_SECONDS)
