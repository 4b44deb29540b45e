"""Getting the values of Secrets that something has come to refer to."""

import asyncio
from collections.abc import Mapping

import structlog

from tollgate_core.manifests.parse import Manifest
from tollgate_operator.cluster.client import ForbiddenError, KubernetesClient, NotFoundError
from tollgate_operator.cluster.kinds import SECRET
from tollgate_operator.cluster.store import Key, Store, referred_secrets

_log = structlog.get_logger("secrets")
_AT_ONCE = 16


class SecretValues:
    """``fetch`` before each reconcile: a value that is only not here yet must not be taken for missing."""

    def __init__(self, client: KubernetesClient, store: Store) -> None:
        self._client = client
        self._store = store
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def fetch(self, last_good: Mapping[Key, Manifest]) -> None:
        """All that the store's manifests refer to, and what may serve in their place. Raises KubernetesError where the
        API server does not answer."""
        wanted = self._store.references() | referred_secrets(last_good.values())
        await asyncio.gather(*(self._fetch(key) for key in self._store.refer(wanted)))

    async def _fetch(self, key: Key) -> None:
        held = self._store.get(key)
        if held is None:
            return
        async with self._slots:
            try:
                found = await self._client.get(SECRET, held.name, held.namespace)
            except (NotFoundError, ForbiddenError) as error:
                # Deleted meanwhile, or not ours to read: missing, as far as we can know.
                _log.info("a secret cannot be read", secret=key[1], error=str(error))
                return
        self._store.fill(found)
