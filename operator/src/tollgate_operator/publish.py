"""Publishing a state: the catalog to Redis, statuses to a file. Redis holds no truth: it is written anew when lost."""

import asyncio
import json
import os
from pathlib import Path

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from tollgate_core.redis_contract import Keys, text
from tollgate_operator.control_loop import State

_log = structlog.get_logger("publish")


class CatalogPublisher:
    """``answered`` says whether Redis answered the last time. One offer at a time, and always of the latest catalog: an
    older one never overwrites it."""

    def __init__(self, redis: "Redis") -> None:
        self._redis = redis
        self._latest: State | None = None
        self._lock = asyncio.Lock()
        self.answered = False

    async def offer(self, state: State, *, write: bool = True) -> bool:
        """Write the catalog unless Redis has it already. False where Redis did not answer, or has another one and we
        may not ``write``: the caller tries again."""
        self._latest = state
        return await self._try(write=write)

    async def offer_again(self) -> bool:
        """The latest that was offered, in case Redis lost it."""
        return await self._try(write=True)

    async def _try(self, *, write: bool) -> bool:
        async with self._lock:
            if self._latest is None:
                return False
            try:
                done = await self._offer(self._latest, write=write)
            except (RedisError, OSError) as error:
                self.answered = False
                _log.warning("catalog not published; trying again", error=str(error))
                return False
            self.answered = True
            return done

    async def _offer(self, state: State, *, write: bool) -> bool:
        current = await self._redis.hget(Keys.CATALOG, "hash")
        if current is not None and text(current) == state.catalog_hash:
            return True
        if not write:
            return False
        await self._redis.set(Keys.catalog(state.catalog_hash), state.encoded)
        if current is not None:
            await self._redis.expire(Keys.catalog(text(current)), Keys.CATALOG_KEPT_SECONDS)
        await self._redis.hset(Keys.CATALOG, mapping={"hash": state.catalog_hash, "json": state.encoded})
        _log.info("catalog published", hash=state.catalog_hash)
        return True


def status_document(state: State, programmed: bool, envoy_error: str) -> dict[str, object]:
    """Statuses as JSON: what people and `tollgate up` read."""
    resources: list[dict[str, object]] = []
    for (kind, name), status in sorted(state.statuses.items()):
        conditions = [
            {"type": c.type, "status": str(c.status), "reason": c.reason, "message": c.message}
            for c in status.conditions
        ]
        if kind in {"API", "Product"}:
            holds = programmed and status.serving == "current"
            reason = (
                "Programmed" if holds else "Rejected" if envoy_error else "Pending" if not programmed else "NotServing"
            )
            conditions.append({"type": "Programmed", "status": str(holds), "reason": reason, "message": envoy_error})
        resources.append({"kind": kind, "name": name, "serving": status.serving, "conditions": conditions})
    return {
        "catalog": state.catalog_hash,
        "programmed": programmed,
        "files": state.files,
        "resources": resources,
    }


def write_status(path: Path, document: dict[str, object]) -> None:
    """Atomically, so that a reader never sees half a document."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(document, indent=2))
    os.replace(temporary, path)
