"""The loop that keeps Redis filled: follows the catalog, pushes what changed, notices a loss."""

import secrets
import threading
from collections.abc import Iterable
from typing import Literal

import structlog

from tollgate_billing.clock import Clock
from tollgate_billing.health import Health, Metrics, part_at_fault
from tollgate_billing.hydration.counters import CounterRestorer, all_partitions
from tollgate_billing.hydration.scripts import script
from tollgate_billing.hydration.subscriptions import SubscriptionPusher
from tollgate_billing.ledger.database import Database
from tollgate_billing.ledger.subscriptions import bump_revision, revisions
from tollgate_billing.redis_link import Command, RedisLink
from tollgate_billing.sync.catalog_sync import CatalogSync
from tollgate_billing.wallets.standing import prepaid_names, recently_used, turned
from tollgate_core.redis_contract import PARTITIONS, Keys

_log = structlog.get_logger("hydration")
_TICK_SECONDS = 0.25
_FAST_TICK_SECONDS = 0.02
#: How long a cold partition waits for its stream to be empty before it makes do with less exact counters.
_COLD_AT_MOST_MS = 10_000

_MARK_KEPT_MS = 3_600_000
_WALLETS_MS = 2_000

Cause = Literal["start", "lost", "restarted"]


class Keeper:
    """``tick`` does one round and can be driven by a test; ``run`` repeats it."""

    def __init__(
        self,
        database: Database,
        link: RedisLink,
        catalog: CatalogSync,
        pusher: SubscriptionPusher,
        restorer: CounterRestorer,
        clock: Clock,
        health: Health,
        metrics: Metrics,
    ) -> None:
        self._database = database
        self._link = link
        self._catalog = catalog
        self._pusher = pusher
        self._restorer = restorer
        self._clock = clock
        self._health = health
        self._metrics = metrics
        self._pushed: dict[str, int] = {}
        self._servers: frozenset[str] = frozenset()
        self._cold: set[int] = set()
        self._cold_since = 0
        self._marker = ""
        self._wallets_at = 0
        self._wallets_due: set[str] = set()
        self._open = script("ready")

    def run(self, stop: threading.Event) -> None:
        """Until ``stop`` is set."""
        while not stop.is_set():
            try:
                self.tick()
                self._health.fine("hydration")
            except Exception as error:
                part = part_at_fault(error)
                self._health.trouble("hydration", f"{part}: {type(error).__name__}")
                _log.warning("hydration waits", part=part, error=type(error).__name__, exc_info=part == "internal")
                stop.wait(_TICK_SECONDS)
            stop.wait(_FAST_TICK_SECONDS if self._cold else _TICK_SECONDS)

    def tick(self) -> bool:
        """Catalog, loss, changes, cold partitions. True where all of Redis is filled."""
        catalog_changed = self._refresh()
        cause = self._loss()
        if cause:
            self._refill(cause)
        else:
            self._push_changes()
        if catalog_changed and not self._cold:
            self._raise_counters()  # a limit may be new while its metric has long been in use
        if self._cold:
            self._warm_up()
        else:
            self._settle_wallets()
        return not self._cold

    def _refresh(self) -> bool:
        """A catalog that cannot be taken over leaves the last one, and stops nothing else."""
        try:
            changed = self._catalog.refresh()
        except Exception as error:
            if part_at_fault(error) != "internal":
                raise
            self._health.trouble("catalog", f"cannot be taken over: {type(error).__name__}")
            _log.exception("catalog cannot be taken over")
            return False
        self._say("catalog", "cannot be declared", self._catalog.failed)
        return changed

    def _say(self, part: str, trouble: str, names: Iterable[str]) -> None:
        some = sorted(names)[:5]
        if some:
            self._health.trouble(part, f"{trouble}: {', '.join(some)}")
        else:
            self._health.fine(part)

    def _loss(self) -> Cause | None:
        servers = self._link.server_ids()
        if not self._servers:
            self._servers = servers
            return "start"
        restarted, self._servers = servers != self._servers, servers
        if len(self._cold) < PARTITIONS:
            ready = self._link.pipeline_or_raise([("EXISTS", Keys.ready(p)) for p in range(PARTITIONS)])
            missing = {p for p, exists in enumerate(ready) if not exists}
            if missing - self._cold:
                return "lost"
        return "restarted" if restarted else None

    def _refill(self, cause: Cause) -> None:
        """Forget what was pushed; from now on only what is found in Redis counts as ready."""
        _log.info("filling redis", cause=cause)
        self._pushed.clear()
        self._marker = secrets.token_hex(8)
        try:
            marks: list[Command] = [
                ("SET", _filling_mark(p, self._marker), self._marker, "PX", _MARK_KEPT_MS) for p in range(PARTITIONS)
            ]
            self._link.pipeline_or_raise(marks)
            self._restorer.mark_confirmed()
            ready = self._link.pipeline_or_raise([("EXISTS", Keys.ready(p)) for p in range(PARTITIONS)])
            self._push_changes()
            if any(ready):
                self._raise_counters()
        except BaseException:
            self._servers = frozenset()  # begin again from the start
            raise
        self._cold = {p for p in all_partitions() if not ready[p]}
        self._cold_since = self._clock()
        self._metrics.hydrations.labels(cause).inc()

    def _raise_counters(self) -> None:
        for partition in range(PARTITIONS):
            self._restorer.restore(self._catalog.current, partition, "raise")

    def _settle_wallets(self) -> None:
        """The gate's own count of what usage costs is near; after new usage the exact one takes its place."""
        now = self._clock()
        if now - self._wallets_at < _WALLETS_MS:
            return
        changed: set[str] = set()
        with self._database.read() as connection:
            if self._wallets_at:
                self._wallets_due |= recently_used(connection, self._wallets_at - _WALLETS_MS)
                changed = turned(connection, self._wallets_at, now)
            else:
                self._wallets_due = prepaid_names(connection)
        if changed:  # what they may spend has changed with time; the gate looks again only at another revision
            with self._database.write() as connection:
                for name in sorted(changed):
                    bump_revision(connection, name)
        self._wallets_at = now
        self._wallets_due = self._restorer.restore_wallets(self._catalog.current, sorted(self._wallets_due))

    def _push_changes(self) -> None:
        with self._database.read() as connection:
            current = revisions(connection)
        changed = [name for name, revision in current.items() if self._pushed.get(name) != revision]
        if not changed:
            return
        loaded = self._pusher.load(changed)
        self._pusher.push(loaded.images)
        self._pushed.update({image.subscription.name: image.subscription.revision for image in loaded.images})
        # Another customer may have taken a name over, whose usage is still in the counter.
        self._wallets_due |= {image.subscription.name for image in loaded.images if image.wallet}
        self._say("subscriptions", "cannot be written to Redis", loaded.failed)

    def _warm_up(self) -> None:
        """Partitions become ready one by one, as soon as their counters are exact."""
        patience_is_over = self._clock() - self._cold_since > _COLD_AT_MOST_MS
        for partition in sorted(self._cold):
            if not self._restorer.restore(self._catalog.current, partition, "exact"):
                if not patience_is_over:
                    continue
                self._restorer.restore(self._catalog.current, partition, "raise")
            mark = _filling_mark(partition, self._marker)
            if not self._link.call("EVAL", self._open, 2, mark, Keys.ready(partition), self._marker):
                self._servers = frozenset()  # Redis was emptied while it was being filled: begin again
                return
            self._cold.discard(partition)
        if not self._cold:
            _log.info("redis is filled", subscriptions=len(self._pushed))

    @property
    def is_warm(self) -> bool:
        """Whether Redis was filled and nothing is known to be missing."""
        return bool(self._servers) and not self._cold


def _filling_mark(partition: int, marker: str) -> str:
    """A key of one filling by one process: gone where Redis lost its data in between."""
    return f"tollgate:{{p{partition}}}:filling:{marker}"
