"""Composition root of the operator in laptop mode: a directory of manifests, our ADS server, Redis."""

import asyncio
import contextlib
import signal

import structlog
from redis.asyncio import Redis

from tollgate_core.logs import configure_logging
from tollgate_operator.control_loop import State, reconcile
from tollgate_operator.payment_files import write_key_files
from tollgate_operator.publish import CatalogPublisher, status_document, write_status
from tollgate_operator.settings import Settings
from tollgate_operator.sources import FileSource, Loaded
from tollgate_operator.xds import AdsServer, Snapshot, SnapshotCache

_log = structlog.get_logger("operator")
#: How often Redis is asked whether it still has the catalog.
_REPUBLISH_SECONDS = 1.0


class Operator:
    """Turns every state of the manifests into what the others run."""

    def __init__(self, settings: Settings, publisher: CatalogPublisher, cache: SnapshotCache) -> None:
        self._settings = settings
        self._publisher = publisher
        self._cache = cache
        self._state: State | None = None
        self._watching: asyncio.Task[None] | None = None

    async def apply(self, loaded: Loaded) -> None:
        """Reconcile and publish; Redis first, so that gate and meter know an endpoint before Envoy routes to it."""
        state = reconcile(loaded, self._state, self._settings.gateway)
        self._state = state
        for (kind, name), status in state.statuses.items():
            for problem in status.problems:
                _log.warning("resource refused", kind=kind, name=name, serving=status.serving, problem=problem)
        self._hand_keys_over(state)
        await self._publisher.offer(state)
        snapshot = Snapshot.of(state.envoy)
        if self._cache.current is None or self._cache.current.version != snapshot.version:
            await self._cache.publish(snapshot)
        if self._watching:
            self._watching.cancel()
        self._report(False, "")
        self._watching = asyncio.create_task(self._watch_acknowledgements())

    def _hand_keys_over(self, state: State) -> None:
        """A disk that is full stops payments, and nothing else."""
        if self._settings.payment_keys_dir is None:
            return
        try:
            write_key_files(self._settings.payment_keys_dir, state.payment_keys.files)
        except OSError as error:
            _log.error("keys of payment providers cannot be written", error=error.strerror)

    async def _watch_acknowledgements(self) -> None:
        snapshot = self._cache.current
        assert snapshot is not None  # noqa: S101
        words = await self._cache.wait_until_programmed(snapshot)
        error = "; ".join(sorted({f"Envoy refused it: {text}" for word in words for text in word.errors}))
        self._report(bool(words) and not error, error)

    def _report(self, programmed: bool, error: str) -> None:
        assert self._state is not None  # noqa: S101
        write_status(self._settings.status_file, status_document(self._state, programmed, error))

    async def keep_published(self) -> None:
        """Write the catalog again whenever Redis has lost it."""
        while True:
            await asyncio.sleep(_REPUBLISH_SECONDS)
            await self._publisher.offer_again()


async def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT."""
    redis = Redis.from_url(  # pyright: ignore[reportUnknownMemberType]
        settings.redis_url, socket_timeout=2, socket_connect_timeout=2
    )
    cache = SnapshotCache()
    server = AdsServer(cache, settings.ads_address)
    operator = Operator(settings, CatalogPublisher(redis), cache)
    source = FileSource(settings.manifests)
    await operator.apply(source.load())
    await server.start()
    _log.info("serving", ads=settings.ads_address)

    async def follow() -> None:
        async for loaded in source.changes():
            await operator.apply(loaded)

    tasks = [asyncio.create_task(follow()), asyncio.create_task(operator.keep_published())]
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    waiter = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait([*tasks, waiter], return_when=asyncio.FIRST_COMPLETED)
    for task in [*tasks, waiter]:
        task.cancel()
    await server.stop()
    with contextlib.suppress(Exception):
        await redis.aclose()
    for task in done - {waiter}:
        task.result()


def main() -> None:
    """Entry point of ``python -m tollgate_operator``."""
    configure_logging()
    asyncio.run(run(Settings.from_environment()))
