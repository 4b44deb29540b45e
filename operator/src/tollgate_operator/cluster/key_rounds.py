"""Which Subscriptions lack their key, and when to try again: soon a few times, then ever more rarely."""

import asyncio
import time
from collections.abc import Iterator

import httpx
import structlog

from tollgate_core.manifests import Subscription, qualified_name
from tollgate_operator.cluster.client import KubernetesError
from tollgate_operator.cluster.keys import KeyKeeper
from tollgate_operator.cluster.store import Observed, Store
from tollgate_operator.control_loop import State

_log = structlog.get_logger("keys")
_AT_ONCE = 8
#: A key that cannot be made is tried soon this often, then ever more rarely.
_SOON, _RAREST_SECONDS = 5, 10.0


class KeyRounds:
    """``run`` makes one round over all Subscriptions."""

    def __init__(self, keys: KeyKeeper, store: Store) -> None:
        self._keys = keys
        self._store = store
        #: By uid: what it was like when it failed, how often, and when it is due again.
        self._failed: dict[str, tuple[object, int, float]] = {}

    async def run(self, state: State) -> bool | None:
        """True where every key that was missing is made, False where one is not, None where none was missing."""
        slots = asyncio.Semaphore(_AT_ONCE)
        waiting = [self._make(observed, manifest, slots) for observed, manifest in self._due(state)]
        return all(await asyncio.gather(*waiting)) if waiting else None

    def _due(self, state: State) -> Iterator[tuple[Observed, Subscription]]:
        for observed in self._store.of_kind("Subscription"):
            manifest = observed.manifest
            if not isinstance(manifest, Subscription) or not manifest.spec.secret_name or observed.deleting:
                continue
            secret = ("Secret", qualified_name(observed.namespace, manifest.spec.secret_name))
            if self._keys.key_id(observed) and self._store.get(secret) is None:
                self._keys.lost(observed.uid)
            # Billing knows nothing of one that does not serve.
            if self._keys.is_done(observed, manifest) or observed.key not in state.resources:
                continue
            like, _, due = self._failed.get(observed.uid, (None, 0, 0.0))
            if time.monotonic() >= due or like != self._likeness(observed):
                yield observed, manifest

    def _likeness(self, observed: Observed) -> object:
        """Another one is worth trying again at once."""
        manifest = observed.manifest
        name = (manifest.spec.secret_name if isinstance(manifest, Subscription) else None) or ""
        held = self._store.get(("Secret", qualified_name(observed.namespace, name)))
        return observed.generation, observed.rotation, held.version if held else 0

    async def _make(self, observed: Observed, subscription: Subscription, slots: asyncio.Semaphore) -> bool:
        async with slots:
            try:
                await self._keys.sync(observed, subscription)
            except (KubernetesError, httpx.HTTPError) as error:
                _log.info("no key yet", subscription=observed.key[1], error=f"{type(error).__name__}: {error}")
                done = False
            else:
                done = self._keys.is_done(observed, subscription)
        if done:
            self._failed.pop(observed.uid, None)
        else:
            self._postpone(observed)
        return done

    def _postpone(self, observed: Observed) -> None:
        like = self._likeness(observed)
        before, times, _ = self._failed.get(observed.uid, (like, 0, 0.0))
        times = times + 1 if before == like else 1
        pause = min(2.0 ** max(0, times - _SOON), _RAREST_SECONDS) if times > _SOON else 0.0
        self._failed[observed.uid] = (like, times, time.monotonic() + pause)
