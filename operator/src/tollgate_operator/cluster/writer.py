"""Writing what was decided: statuses, finalizers, Events. Only differences; an answer goes back into the store."""

import asyncio
from collections.abc import Awaitable, Iterable, Mapping
from typing import Any

import structlog

from tollgate_operator.cluster.client import (
    AwayError,
    ConflictError,
    ForbiddenError,
    KubernetesClient,
    NotFoundError,
    RefusedError,
)
from tollgate_operator.cluster.clock import Clock, rfc3339
from tollgate_operator.cluster.kinds import BY_NAME, EVENT
from tollgate_operator.cluster.metrics import Metrics
from tollgate_operator.cluster.statuses import PASSING, Verdict
from tollgate_operator.cluster.store import Observed, Store
from tollgate_operator.reconcile import Condition

_log = structlog.get_logger("writer")
_AT_ONCE = 16
_LONGEST_NOTE = 1000


class Writer:
    """Raises AwayError where the API server does not answer; the caller tries again with what is true then."""

    def __init__(self, client: KubernetesClient, store: Store, identity: str, clock: Clock, metrics: Metrics) -> None:
        self._client = client
        self._store = store
        self._identity = identity
        self._clock = clock
        self._metrics = metrics
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def statuses(self, verdicts: Iterable[tuple[Observed, Verdict]]) -> None:
        """All of them, a few at a time."""
        await _all(self._status(observed, verdict) for observed, verdict in verdicts)

    async def finalizers(self, changes: Mapping[tuple[str, str], tuple[str, ...]]) -> None:
        """New lists by resource."""
        found = ((self._store.get(key), names) for key, names in changes.items())
        await _all(self._finalizers(observed, names) for observed, names in found if observed)

    async def _status(self, observed: Observed, verdict: Verdict) -> None:
        if await self._patch(observed, {"status": verdict.body}, status=True):
            self._metrics.status_writes.inc()
            for condition in verdict.transitions:
                await self._event(observed, condition)

    async def _finalizers(self, observed: Observed, names: tuple[str, ...]) -> None:
        # With the version, so that a finalizer of somebody else is not lost.
        metadata = {"resourceVersion": str(observed.version), "finalizers": list(names)}
        await self._patch(observed, {"metadata": metadata})

    async def _patch(self, observed: Observed, body: Mapping[str, Any], *, status: bool = False) -> bool:
        kind = BY_NAME[observed.key[0]]
        async with self._slots:
            try:
                answer = await self._client.merge(kind, observed.name, body, observed.namespace, status=status)
            except NotFoundError:
                return False  # deleted meanwhile; the watch will say so
            except ConflictError:
                return False  # changed meanwhile; the watch will say so, and it is decided anew
            except RefusedError as error:
                _log.error("write refused", kind=kind.kind, name=observed.key[1], error=str(error))
                return False
        self._store.apply("MODIFIED", {"kind": kind.kind, "apiVersion": kind.api_version, **answer})
        return True

    async def _event(self, observed: Observed, condition: Condition) -> None:
        """Of what went wrong, and of what is right again; a resource that is right from the start makes none."""
        before = [c for c in observed.status.get("conditions", []) if c.get("type") == condition.type]
        was_wrong = bool(before) and before[0].get("status") == "False" and before[0].get("reason") not in PASSING
        if condition.reason in PASSING or (condition.status and not was_wrong):
            return
        now, kind = rfc3339(self._clock()), BY_NAME[observed.key[0]]
        body: dict[str, Any] = {
            "metadata": {"generateName": f"{observed.name[:50]}."},
            "involvedObject": {
                "apiVersion": kind.api_version,
                "kind": kind.kind,
                "namespace": observed.namespace,
                "name": observed.name,
                "uid": observed.uid,
            },
            "type": "Normal" if condition.status else "Warning",
            "reason": condition.reason,
            "message": (condition.message or f"{condition.type} is {condition.status}")[:_LONGEST_NOTE],
            "source": {"component": "tollgate-operator"},
            "reportingComponent": "tollgate.dev/operator",
            "reportingInstance": self._identity,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        try:
            await self._client.create(EVENT, body, observed.namespace)
        except (NotFoundError, ForbiddenError, RefusedError) as error:
            _log.debug("event not written", error=str(error))  # its namespace is on its way out


async def _all(calls: Iterable[Awaitable[None]]) -> None:
    """Every call is made, whatever becomes of the others; then AwayError is raised if one could not be answered."""
    results = await asyncio.gather(*calls, return_exceptions=True)
    failures = [result for result in results if isinstance(result, BaseException)]
    for failure in failures:
        if not isinstance(failure, AwayError):
            raise failure
    if failures:
        raise failures[0]
