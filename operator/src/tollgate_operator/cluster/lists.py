"""Whole lists of every kind: what the store begins with, and what watches may have lost.

Kinds of others may not be installed. Once synced, rights that went (with a namespace, or by mistake) are no reason to
forget what serves: what was deleted, the watch has said. Before, they are no reason to take every reference for
missing: an API server that has just started denies what it will allow in a moment. Only without a namespace that
certainly is not there, or is being deleted with the Roles in it, is gone on.
"""

import asyncio
from collections.abc import Callable, Iterable
from functools import partial

import structlog

from tollgate_operator.cluster.client import ForbiddenError, KubernetesClient, NotFoundError
from tollgate_operator.cluster.kinds import NAMESPACE, OWN, REFERRED, SECRET, Kind
from tollgate_operator.cluster.store import Change, Store

_log = structlog.get_logger("lists")


class Lists:
    """``namespaces`` empty: all. ``on_change`` hears what each list changed. ``missing`` are namespaces that are not
    there; ``moved`` is set whenever they become others."""

    def __init__(
        self, client: KubernetesClient, store: Store, namespaces: tuple[str, ...], on_change: Callable[[Change], None]
    ) -> None:
        self._client = client
        self._store = store
        self._namespaces = namespaces
        self._on_change = on_change
        self._complete = False
        self.missing: frozenset[str] = frozenset()
        self.moved = asyncio.Event()

    @property
    def present(self) -> tuple[str, ...]:
        """Namespaces that can be watched; empty where all are."""
        return tuple(name for name in self._namespaces if name not in self.missing)

    async def all(self) -> None:
        """Every kind. Raises KubernetesError; asking again is safe."""
        await self._look_at(self._namespaces or (None,))
        self._complete = True

    async def look_for_missing(self) -> None:
        """Those that were not there."""
        await self._look_at(sorted(self.missing))

    async def look_at_present(self) -> None:
        """Those that were there."""
        await self._look_at(self.present)

    async def _look_at(self, namespaces: Iterable[str | None]) -> None:
        for namespace in namespaces:
            gone = not await self._look_into(namespace)
            if namespace is not None and gone != (namespace in self.missing):
                self.missing = self.missing | {namespace} if gone else self.missing - {namespace}
                self.moved.set()
                (_log.warning if gone else _log.info)(
                    "a watched namespace is not there" if gone else "a watched namespace is back", namespace=namespace
                )

    async def _look_into(self, namespace: str | None) -> bool:
        """False where there is no such namespace, or it was made again and its Role was not yet."""
        for kind in (*OWN, *REFERRED):
            if kind is SECRET:  # their values are only kept where something refers to them
                self._store.refer(self._store.referred | self._store.references())
            try:
                self._on_change(await self._list(kind, namespace))
            except ForbiddenError:
                if namespace is not None and (namespace in self.missing or await self._is_gone(namespace)):
                    return False
                if not self._complete:
                    raise
                _log.debug("not listed", kind=kind.kind, namespace=namespace)
        return True

    async def _list(self, kind: Kind, namespace: str | None) -> Change:
        try:
            ask = partial(self._client.list, kind, namespace)
            items, version = await (ask(self._store.trim) if kind is SECRET else ask())
        except NotFoundError:
            if kind in OWN and not self._complete:
                raise
            return "none"
        return self._store.replace(kind.kind, items, version, namespace)

    async def _is_gone(self, namespace: str) -> bool:
        """Only where the API server says so: not being allowed to know is no answer."""
        try:
            found = await self._client.get(NAMESPACE, namespace)
        except NotFoundError:
            self._on_change(self._store.forget(namespace))
            return True
        except ForbiddenError:
            return False
        return "deletionTimestamp" in found["metadata"]
