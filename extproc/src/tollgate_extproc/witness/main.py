"""Composition root of the witness: one per Envoy, on the same volume as its log."""

import asyncio
import contextlib
from http.client import HTTPException

import msgspec
import structlog
import uvloop
from redis.asyncio import Redis
from redis.exceptions import RedisError

from tollgate_core.admission import Admission
from tollgate_core.logs import configure_logging
from tollgate_core.metering import Plans
from tollgate_extproc.budget.evaluate import Expressions
from tollgate_extproc.catalog_cache import CatalogCache
from tollgate_extproc.clock import Clock, system_clock
from tollgate_extproc.health import HealthServer
from tollgate_extproc.lifecycle import run_until_stopped
from tollgate_extproc.metrics import Metrics
from tollgate_extproc.redis_client import connect
from tollgate_extproc.settings import Settings, settings_or_exit
from tollgate_extproc.settlement import Settler
from tollgate_extproc.witness.admin import ask_envoy
from tollgate_extproc.witness.drain import Drain
from tollgate_extproc.witness.draining import Draining, DrainSocket
from tollgate_extproc.witness.line import observe, parse_line
from tollgate_extproc.witness.orphans import Orphans
from tollgate_extproc.witness.sweep import Sweeper
from tollgate_extproc.witness.tail import Checkpoint, Tail

_log = structlog.get_logger("witness")
_IDLE_SECONDS = 0.1
#: Envoy buffers its log for up to this long; a request that ended earlier is in the file.
_FLUSH_MS = 2000
#: So many reads without a line mean that Envoy has written its last.
_QUIET_READS = 5
_FINISH_SECONDS = 20.0
_DRAIN_SECONDS = 10.0
#: So many events may wait for the ledger before reading pauses: the log itself is the spool.
_MAX_WAITING = 20_000


class Witness:
    """Reads the log, settles each request, remembers how far the ledger has followed."""

    def __init__(
        self,
        settings: Settings,
        redis: "Redis",
        catalogs: CatalogCache,
        settler: Settler,
        checkpoint: Checkpoint,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._redis = redis
        self._catalogs = catalogs
        self._settler = settler
        self._checkpoint = checkpoint
        self._clock = clock
        self._tail = Tail(settings.access_log, checkpoint.inode, checkpoint.offset)
        self._watermark = 0
        self._stopping = False
        self._ended = asyncio.Event()
        self._orphans = Orphans(redis, catalogs, settler, checkpoint.confirm)

    async def read(self) -> None:
        """Follow the log until told to ``finish``; then to its end, once Envoy writes no more."""
        while self._catalogs.current is None and not self._stopping:
            await asyncio.sleep(_IDLE_SECONDS)
        quiet = 0
        while quiet < _QUIET_READS:
            lines, before = 0, self._clock()
            for number, (end, text) in enumerate(self._tail.read()):
                await self._take(end, text)
                lines += 1
                if number % 64 == 63:
                    await asyncio.sleep(0)
            quiet = quiet + 1 if self._stopping and not lines else 0
            self._watermark = before - _FLUSH_MS
            self._checkpoint.begin(self._tail.inode)
            self._checkpoint.save()
            await asyncio.sleep(_IDLE_SECONDS)
            while self._checkpoint.waiting > _MAX_WAITING:
                self._checkpoint.save()
                await asyncio.sleep(_IDLE_SECONDS)
        self._ended.set()
        await asyncio.Event().wait()  # until the others are told to end as well

    async def finish(self) -> None:
        """Read what Envoy wrote at its end, so that a pod that goes leaves nothing unread."""
        self._stopping = True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._ended.wait(), _FINISH_SECONDS)

    async def _take(self, end: int, text: bytes) -> None:
        inode = self._tail.inode
        try:
            line, admission = parse_line(text)
        except msgspec.DecodeError as error:
            _log.error("a line of the access log cannot be read", error=str(error), bytes=len(text))
            self._checkpoint.add(inode, end, None)
            return
        if admission is None:
            orphan = line.id if line.may_be_orphaned else None
            self._checkpoint.add(inode, end, orphan)
            if orphan:
                self._orphans.add(orphan, line)
            return
        plans = await self._plans_of(admission)
        plan = plans.endpoints.get(admission.endpoint) if plans else None
        self._checkpoint.add(inode, end, admission.id)
        self._settler.settle(admission, observe(text, line, admission, plan), final=True)

    async def _plans_of(self, admission: Admission) -> Plans | None:
        """Waits for Redis: without its catalog a request cannot be metered."""
        while True:
            try:
                await self._catalogs.ensure(admission.catalog)
            except (RedisError, OSError):
                await asyncio.sleep(_IDLE_SECONDS)
            else:
                return self._catalogs.plans(admission.catalog)

    async def look_after(self) -> None:
        """Once a second: publish the watermark, settle expired holds, rotate the log."""
        sweeper = Sweeper(self._redis, self._catalogs, self._settler, self._clock)
        while True:
            await asyncio.sleep(1)
            try:
                await self._orphans.release()
                await sweeper.publish(self._settings.node, self._watermark)
                await sweeper.sweep()
                await sweeper.release_settled()
            except (RedisError, OSError) as error:
                _log.debug("redis did not answer", error=str(error))
            await asyncio.to_thread(self._rotate)

    def _rotate(self) -> None:
        """Rename the log and let Envoy open a new one, when it is large and the old one is read to its end."""
        log = self._settings.access_log
        old = log.with_name(log.name + ".1")
        if not self._settings.envoy_admin_url:
            return
        try:
            if not log.exists() and old.exists():
                self._reopen()  # it failed the last time
                return
            if log.stat().st_size < self._settings.rotate_bytes:
                return
            if old.exists() and old.stat().st_ino in {self._tail.inode, self._checkpoint.inode}:
                return
            log.rename(old)
            self._reopen()
        except FileNotFoundError:
            return  # Envoy has not opened it yet
        except (OSError, HTTPException) as error:
            _log.warning("the access log was not rotated", error=str(error))

    def _reopen(self) -> None:
        ask_envoy(self._settings.envoy_admin_url, "/reopen_logs", "POST")


async def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT."""
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    redis = connect(settings.redis_url)
    catalogs = CatalogCache(redis)
    metrics = Metrics()
    expressions = Expressions(settings.budget, metrics)
    checkpoint = Checkpoint(settings.state_dir / "witness.checkpoint")
    settler = Settler(
        redis,
        catalogs,
        system_clock,
        join_grace_seconds=settings.join_grace_seconds,
        metrics=metrics,
        expressions=expressions,
        on_confirmed=checkpoint.confirm,
    )
    witness = Witness(settings, redis, catalogs, settler, checkpoint, system_clock)
    draining = Draining(Drain(settings.envoy_admin_url, settings.drain_seconds).run)
    hooks = DrainSocket(settings.drain_socket, draining)
    health = HealthServer(settings.health_listen, metrics, catalogs.problems, {"/drained": draining.wait})
    try:
        await run_until_stopped(
            catalogs.follow(), settler.run(), witness.read(), witness.look_after(), finish=witness.finish
        )
    finally:
        await settler.drain(_DRAIN_SECONDS)
        await expressions.close()
        health.stop()
        hooks.stop()
        checkpoint.save()
        await redis.aclose()


def main() -> None:
    """Entry point of ``tollgate-witness`` and ``python -m tollgate_extproc.witness``."""
    configure_logging()
    uvloop.run(run(settings_or_exit("TOLLGATE_ACCESS_LOG")))
