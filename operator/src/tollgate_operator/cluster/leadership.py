"""Which replica writes: a Lease, taken over when we have not seen its holder renew it for a while.

All replicas watch, reconcile and serve Envoy; only the leader writes statuses, Secrets, Events and the catalog.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from tollgate_operator.cluster.client import ConflictError, KubernetesClient, KubernetesError, NotFoundError
from tollgate_operator.cluster.clock import Clock, microtime
from tollgate_operator.cluster.kinds import LEASE

_log = structlog.get_logger("leadership")
DURATION_SECONDS = 10
_RENEW_SECONDS = 3.0
_MISSED_SECONDS = 7.0


def may_take(spec: Mapping[str, Any], identity: str, unchanged: float) -> bool:
    """Whether a Lease is ours, free, or not renewed for as long as it lasts: ``unchanged`` are the seconds for which it
    has said the same. The times in it are its holder's, whose clock may be wrong. Pure."""
    holder = spec.get("holderIdentity")
    if not holder or holder == identity:
        return True
    return unchanged > int(spec.get("leaseDurationSeconds", DURATION_SECONDS))


class _Sight:
    """Since when a Lease says what it says, by our own clock."""

    def __init__(self) -> None:
        self._record: tuple[Any, ...] | None = None
        self._since = 0.0

    def unchanged(self, spec: Mapping[str, Any], now: float) -> float:
        record = tuple(spec.get(name) for name in ("holderIdentity", "renewTime", "leaseTransitions"))
        if record != self._record:
            self._record, self._since = record, now
        return now - self._since


class Leadership:
    """``leads`` is true only while the Lease is ours and fresh."""

    def __init__(
        self,
        client: KubernetesClient,
        namespace: str,
        name: str,
        identity: str,
        owners: list[dict[str, Any]],
        clock: Clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._owners = owners
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._clock = clock
        self._monotonic = monotonic
        self._sight = _Sight()
        self._renewed: float | None = None
        self._led = False
        self.changed = asyncio.Event()
        #: Set as long as we lead, for what waits to begin.
        self.leading = asyncio.Event()

    @property
    def leads(self) -> bool:
        """Stops being true before anybody else may take over, also when the API server does not answer."""
        return self._renewed is not None and self._monotonic() < self._renewed + _MISSED_SECONDS

    async def run(self) -> None:
        """Take and renew for ever."""
        while True:
            await self.step()
            await asyncio.sleep(_RENEW_SECONDS)

    async def step(self) -> None:
        """Take or renew once, and say what changed since the last time."""
        try:
            await self._renew()
        except KubernetesError as error:
            _log.warning("the lease could not be renewed", error=str(error))
        if self.leads != self._led:
            self._led = self.leads
            (self.leading.set if self._led else self.leading.clear)()
            _log.info("leading" if self._led else "following", identity=self._identity)
            self.changed.set()

    async def _renew(self) -> None:
        began, now = self._monotonic(), self._clock()
        try:
            lease = await self._client.get(LEASE, self._name, self._namespace)
        except NotFoundError:
            lease = None
        spec: dict[str, Any] = lease.get("spec") or {} if lease else {}
        if not may_take(spec, self._identity, self._sight.unchanged(spec, self._monotonic())):
            self._renewed = None
            return
        ours = spec.get("holderIdentity") == self._identity
        wanted = {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": DURATION_SECONDS,
            "renewTime": microtime(now),
            "acquireTime": spec["acquireTime"] if ours and "acquireTime" in spec else microtime(now),
            "leaseTransitions": int(spec.get("leaseTransitions", 0)) + (not ours),
        }
        try:
            if lease is None:
                metadata = {"name": self._name, "ownerReferences": self._owners}
                await self._client.create(LEASE, {"metadata": metadata, "spec": wanted}, self._namespace)
            else:
                version = lease["metadata"]["resourceVersion"]
                patch = {"metadata": {"resourceVersion": version}, "spec": wanted}
                await self._client.merge(LEASE, self._name, patch, self._namespace)
        except ConflictError:
            self._renewed = None  # another one was faster
            return
        self._renewed = began

    async def release(self) -> None:
        """Let the next one lead at once."""
        if not self.leads:
            return
        self._renewed = None
        try:
            await self._client.merge(LEASE, self._name, {"spec": {"holderIdentity": ""}}, self._namespace)
        except KubernetesError as error:
            _log.debug("the lease was not released", error=str(error))
