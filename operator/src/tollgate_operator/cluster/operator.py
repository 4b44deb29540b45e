"""The loop on Kubernetes: what the store holds is reconciled, published, and written back as statuses.

Every replica reconciles and serves its Envoys; only the leader writes. Nothing is published before every kind was
listed once, so that a half state never reaches Envoy; and a catalog is in Redis before Envoy routes by it.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import structlog
from redis.exceptions import RedisError

from tollgate_core.errors import Problem
from tollgate_core.manifests.parse import Manifest
from tollgate_operator.cluster.client import KubernetesClient, KubernetesError, RefusedError
from tollgate_operator.cluster.clock import Clock
from tollgate_operator.cluster.finalizers import users, wanted_finalizers
from tollgate_operator.cluster.judge import Judge
from tollgate_operator.cluster.key_rounds import KeyRounds
from tollgate_operator.cluster.keys import KeyKeeper
from tollgate_operator.cluster.kinds import OWN
from tollgate_operator.cluster.leadership import Leadership
from tollgate_operator.cluster.lists import Lists
from tollgate_operator.cluster.liveness import Liveness
from tollgate_operator.cluster.memory import Memory, worth_remembering
from tollgate_operator.cluster.metrics import Metrics
from tollgate_operator.cluster.payments import Payments
from tollgate_operator.cluster.peers import Peers
from tollgate_operator.cluster.programming import Programming
from tollgate_operator.cluster.secret_values import SecretValues
from tollgate_operator.cluster.statuses import is_said
from tollgate_operator.cluster.store import Change, Store
from tollgate_operator.cluster.writer import Writer
from tollgate_operator.control_loop import State, reconcile
from tollgate_operator.envoy import GatewaySettings
from tollgate_operator.publish import CatalogPublisher
from tollgate_operator.reconcile import ResourceKey
from tollgate_operator.sources import Loaded
from tollgate_operator.xds import Report, Snapshot, SnapshotCache, words_on

_log = structlog.get_logger("operator")
#: Edits this close together are one.
_DEBOUNCE_SECONDS = 0.05
_RETRY_SECONDS = 1.0
#: Whole lists come again this often, for what a watch may have lost.
_RESYNC_SECONDS = 300.0
#: While a watched namespace is not there.
_MISSING_SECONDS = 5.0
#: Thousands of resources take seconds.
_LONGEST_RECONCILE_SECONDS = 300.0
#: How long a follower waits for the leader's catalog before it lets its Envoys judge for themselves.
_CATALOG_SECONDS = 3.0
_SHARE_SECONDS = 4.0
#: While Envoys of other replicas have not said their word.
_POLL_SECONDS = 0.2


class ClusterOperator:
    """``run`` runs all loops; ``observe`` is what the watches call."""

    def __init__(
        self,
        *,
        client: KubernetesClient,
        namespaces: tuple[str, ...],
        gateway: GatewaySettings,
        store: Store,
        cache: SnapshotCache,
        publisher: CatalogPublisher,
        peers: Peers,
        leadership: Leadership,
        writer: Writer,
        keys: KeyKeeper,
        memory: Memory,
        payments: Payments,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self.lists = Lists(client, store, namespaces, self.on_change)
        self.liveness = Liveness()
        self._secrets = SecretValues(client, store)
        self._gateway = gateway
        self.store = store
        self._cache = cache
        self._publisher = publisher
        self._peers = peers
        self._leadership = leadership
        self._writer = writer
        self._memory = memory
        self._clock = clock
        self._metrics = metrics
        self._programming = Programming()
        self._payments = payments
        self._judge = Judge(self._programming, keys, payments.accounts)
        self._remembered: dict[ResourceKey, Manifest] = {}
        self._state: State | None = None
        #: The state that Envoys were last sent, with its snapshot.
        self._sent: tuple[State, Snapshot] | None = None
        self.synced = asyncio.Event()
        self._content = asyncio.Event()
        self._status = asyncio.Event()
        self._words = asyncio.Event()
        self._keys_due = asyncio.Event()
        self._publishing: asyncio.Task[None] | None = None
        self._envoys = 0
        #: The last state that Envoys gave their word on, with what they refused.
        self._heard: tuple[State | None, tuple[str, ...]] = (None, ())
        self._trouble = ""
        self.changes = 0
        self._logged: dict[ResourceKey, list[str]] = {}
        self._key_rounds = KeyRounds(keys, store)

    def observe(self, event: str | None, raw: dict[str, Any]) -> None:
        """An event of a watch."""
        self.on_change(self.store.apply(event, raw))

    def on_change(self, change: Change) -> None:
        """Something in the store changed."""
        if change == "content":
            self.changes += 1
            self._content.set()
            self._keys_due.set()
        if change != "none":
            self._status.set()

    def use_certificate(self, certificate: tuple[str, str]) -> None:
        """Of the gateway's own listener."""
        if self._gateway.certificate != certificate:
            self._gateway = replace(self._gateway, certificate=certificate)
            self._content.set()

    def problems(self) -> list[str]:
        """What keeps us from being ready; empty when Envoys get what they should."""
        if not self.synced.is_set():
            return [f"not every kind was listed yet{': ' + self._trouble if self._trouble else ''}"]
        return [] if self._sent else ["nothing was published yet: Redis does not answer"]

    def notes(self) -> list[str]:
        """What is not as it should be, and no reason to be called not ready."""
        return [
            f"namespace {name} is to be watched, and is not there or may not be read yet"
            for name in sorted(self.lists.missing)
        ]

    def resources(self) -> Mapping[ResourceKey, Manifest]:
        """All that can be referred to, for the webhook."""
        return self.store.known()

    async def run(self) -> None:
        """For ever; a failure that is not the neighbours' ends it."""
        async with asyncio.TaskGroup() as tasks:
            for loop in (
                self._list_again_and_again(),
                self._reconcile_changes(),
                self._follow_reports(),
                self._share_reports(),
                self._write_statuses(),
                self._make_keys(),
                self._payments.run(lambda: self._state, lambda: self._leadership.leads, self._status.set),
                self._keep_catalog(),
                self._watch_leadership(),
            ):
                tasks.create_task(loop)

    async def _list_again_and_again(self) -> None:
        while True:
            try:
                if not self.synced.is_set():
                    self._remembered = await self._memory.read()
                await self.lists.all()
            except KubernetesError as error:
                self._trouble = f"{type(error).__name__}: {error}"
                _log.warning("cannot list", error=self._trouble)
                await asyncio.sleep(_RETRY_SECONDS if not self.synced.is_set() else 5 * _RETRY_SECONDS)
                continue
            if not self.synced.is_set():
                self._trouble = ""
                self._adopt()
                self.synced.set()
                self._content.set()
            self._status.set()  # what could not be written is tried again
            await self._look_for_missing(_RESYNC_SECONDS)

    async def _look_for_missing(self, seconds: float) -> None:
        """For so long; a namespace that comes back is seen soon."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            await asyncio.sleep(min(left, _MISSING_SECONDS))
            if self.lists.missing:
                with contextlib.suppress(KubernetesError):  # asked again in a moment
                    await self.lists.look_for_missing()

    def _adopt(self) -> None:
        """What its status says was programmed still is: Envoy keeps it while the operator is away."""
        for kind in OWN:
            for observed in self.store.of_kind(kind.kind):
                if observed.manifest is not None and is_said(observed, "Programmed"):
                    self._programming.taken[observed.key] = observed.manifest

    async def _reconcile_changes(self) -> None:
        await self.synced.wait()
        while True:
            await self._content.wait()
            await asyncio.sleep(_DEBOUNCE_SECONDS)
            self._content.clear()
            last_good = self._programming.last_good(self._state.resources if self._state else self._remembered)
            try:
                await self._secrets.fetch(last_good)
            except KubernetesError as error:
                _log.warning("secrets wait for the API server; what serves, serves on", error=str(error))
                await asyncio.sleep(_RETRY_SECONDS)
                self._content.set()
                continue
            await self._reconcile(last_good)

    async def _reconcile(self, last_good: Mapping[ResourceKey, Manifest]) -> None:
        loaded, started = self._loaded(), time.monotonic()
        try:
            with self.liveness.at_most("reconcile", _LONGEST_RECONCILE_SECONDS):
                self._state = await asyncio.to_thread(reconcile, loaded, self._state, self._gateway, last_good)
        except Exception:
            # To end would be worse: the next start meets the same resource, and serves no Envoy at all.
            self._metrics.reconcile_failures.inc()
            _log.exception("reconcile failed; what serves, serves on until the next edit")
            return
        self._metrics.reconcile_seconds.observe(time.monotonic() - started)
        self._count(self._state)
        self._payments.changed()
        if self._publishing:
            self._publishing.cancel()
        self._publishing = asyncio.create_task(self._publish_at_last(self._state))
        self._status.set()

    def _loaded(self) -> Loaded:
        """Without what Envoy refused."""
        loaded = self.store.loaded()
        refused = self._programming.quarantined(loaded.resources)
        if not refused:
            return loaded
        broken = dict(loaded.broken) | {
            key: [Problem("", f"Envoy refused it: {text}")] for key, text in refused.items()
        }
        return Loaded({key: m for key, m in loaded.resources.items() if key not in refused}, broken)

    def _count(self, state: State) -> None:
        self._metrics.resources(dict(Counter((key[0], status.serving) for key, status in state.statuses.items())))
        before, self._logged = self._logged, {k: s.problems for k, s in state.statuses.items() if s.problems}
        for (kind, name), status in state.statuses.items():
            if status.problems and before.get((kind, name)) != status.problems:
                _log.info("not right", kind=kind, name=name, serving=status.serving, problems=status.problems)

    async def _publish_at_last(self, state: State) -> None:
        """Nobody awaits it, so what goes wrong is said here, and tried again."""
        while True:
            try:
                await self._publish(state)
            except Exception:
                self._metrics.publish_failures.inc()
                _log.exception("not published; what serves, serves on")
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                return

    async def _publish(self, state: State) -> None:
        waited = 0.0
        while not await self._publisher.offer(state, write=self._leadership.leads):
            if not self._leadership.leads and self._publisher.answered and waited > _CATALOG_SECONDS:
                break
            await asyncio.sleep(_POLL_SECONDS)
            waited += _POLL_SECONDS
        snapshot = Snapshot.of(state.envoy)
        self._sent = (state, snapshot)
        if self._cache.current is None or self._cache.current.version != snapshot.version:
            await self._cache.publish(snapshot)
        self._words.set()

    async def _keep_catalog(self) -> None:
        """Redis may lose it."""
        while True:
            await asyncio.sleep(_RETRY_SECONDS)
            if self._leadership.leads:
                await self._publisher.offer_again()

    async def _follow_reports(self) -> None:
        async def ours() -> None:
            seen: dict[str, Report | None] = {}
            while True:
                seen = await self._cache.wait_for_reports(seen)
                self._metrics.envoys.set(len(seen))
                self._words.set()
                with contextlib.suppress(RedisError, OSError):
                    await self._peers.share(seen)

        follower = asyncio.create_task(ours())
        try:
            soon = False
            while True:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._words.wait(), _POLL_SECONDS if soon else _RETRY_SECONDS)
                self._words.clear()
                soon = await self._hear()
        finally:
            follower.cancel()

    async def _hear(self) -> bool:
        """Compare what all Envoys said with what they were sent. True where it is worth asking again soon."""
        if self._sent is None:
            return False
        state, snapshot = self._sent
        reports: dict[str, Report | None] = dict(self._cache.reports)
        try:
            reports |= await self._peers.others()
        except (RedisError, OSError):
            return True
        if len(reports) != self._envoys:
            self._envoys = len(reports)
            self._status.set()
        words = words_on(snapshot.version, reports)
        if not words:
            return bool(reports)
        errors = tuple(sorted({error for word in words for error in word.errors}))
        if errors and self._heard[0] is state and self._heard[1] == errors:
            return False
        self._heard = (state, errors)
        if errors:
            self._metrics.nacks.inc()
            if self._programming.refuse(state, errors):
                self._content.set()
            self._status.set()
        elif self._programming.taken != state.resources or self._programming.standing:
            self._programming.acknowledge(state)
            self._status.set()
        return False

    async def _share_reports(self) -> None:
        while True:
            with contextlib.suppress(RedisError, OSError):
                await self._peers.share(self._cache.reports)
            await asyncio.sleep(_SHARE_SECONDS)

    async def _watch_leadership(self) -> None:
        while True:
            await self._leadership.changed.wait()
            self._leadership.changed.clear()
            self._metrics.leading.set(self._leadership.leads)
            self._content.set()
            self._status.set()

    async def _write_statuses(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._status.wait(), _RETRY_SECONDS)
            await asyncio.sleep(_DEBOUNCE_SECONDS)
            if not self._status.is_set() and not self._judge.waits:
                continue
            self._status.clear()
            if self._state is None or not self._leadership.leads:
                continue
            try:
                await self._write(self._state)
            except KubernetesError as error:
                _log.warning("statuses wait for the API server", error=str(error))
                await asyncio.sleep(_RETRY_SECONDS)
                self._status.set()

    async def _write(self, state: State) -> None:
        used = users(state.resources, self.store)
        await self._writer.finalizers(wanted_finalizers(self.store, used))
        try:
            await self._memory.write(worth_remembering(state))
        except RefusedError as error:  # statuses are worth more than what a restart would remember
            _log.error("what serves in place of broken edits is not remembered", error=str(error))
        await self._writer.statuses(self._judge.verdicts(self.store, state, used, self._envoys, self._clock()))

    async def _make_keys(self) -> None:
        """Billing knows a subscription a moment after the catalog does; until then it is asked again."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._keys_due.wait(), _RETRY_SECONDS)
            self._keys_due.clear()
            if self._state is None or not self._leadership.leads:
                continue
            made = await self._key_rounds.run(self._state)
            if made is not None:
                self._status.set()
            if made is False:
                await asyncio.sleep(_RETRY_SECONDS)
