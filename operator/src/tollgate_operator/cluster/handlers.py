"""Kopf's handlers: every event of every kind goes to the store; nothing is decided here.

Only ``on.event`` handlers are used: Kopf then writes nothing to the objects, so that the cluster is silent at rest.
It runs in a thread of its own: it takes over its loop's signals, and when it ends it cancels whatever else runs there.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Any

import kopf

from tollgate_operator.cluster.kinds import OWN, REFERRED
from tollgate_operator.cluster.liveness import Liveness

_BEAT_SECONDS = 5.0
_STUCK_SECONDS = 120.0
#: Takes the type of an event (None for an entry of a first list) and the object.
Observer = Callable[[str | None, dict[str, Any]], None]


class Watches:
    """Calls ``observe`` in the caller's loop for every event, of all namespaces if none is named."""

    def __init__(self, namespaces: tuple[str, ...], observe: Observer, liveness: Liveness) -> None:
        self._namespaces = namespaces
        self._observe = observe
        self._liveness = liveness
        self._stop = threading.Event()

    async def run(self) -> None:
        """For ever. Raises whatever ended Kopf."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()

        def end(error: BaseException | None) -> None:
            if not ended.done():
                ended.set_exception(error or RuntimeError("the watches ended"))

        def work() -> None:
            error: BaseException | None = None
            try:
                asyncio.run(self._operator(loop))
            except Exception as caught:  # handed over, to end the process
                error = caught
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
                loop.call_soon_threadsafe(end, error)

        threading.Thread(target=work, name="kopf", daemon=True).start()
        try:
            await ended
        finally:
            self._stop.set()

    async def _operator(self, loop: asyncio.AbstractEventLoop) -> None:
        async def observe(event: Any, **_: Any) -> None:
            loop.call_soon_threadsafe(self._observe, event["type"], event["object"])

        pulse = asyncio.create_task(self._beat())
        try:
            await kopf.operator(
                registry=_registry(observe),
                settings=_settings(),
                standalone=True,
                clusterwide=not self._namespaces,
                namespaces=list(self._namespaces),
                stop_flag=self._stop,
            )
        finally:
            pulse.cancel()

    async def _beat(self) -> None:
        """As long as the thread's own loop turns."""
        while True:
            self._liveness.beat("watches", _STUCK_SECONDS)
            await asyncio.sleep(_BEAT_SECONDS)


def _registry(observe: Any) -> kopf.OperatorRegistry:
    registry = kopf.OperatorRegistry()
    for kind in (*OWN, *REFERRED):
        kopf.on.event(kind.group, kind.version, kind.plural, id=f"observe-{kind.plural}", registry=registry)(observe)
    kopf.on.login(id="login", registry=registry)(_login)
    return registry


def _login(**arguments: Any) -> kopf.ConnectionInfo | None:
    """In a pod its ServiceAccount, elsewhere the KUBECONFIG."""
    return kopf.login_with_service_account(**arguments) or kopf.login_with_kubeconfig(**arguments)


def _settings() -> kopf.OperatorSettings:
    """Watches that end by themselves, so that a dead connection is noticed; no Events and no annotations of Kopf's."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    # Namespaces are given or all, and our kinds were listed before Kopf starts: nothing to discover, no rights for it.
    settings.scanning.disabled = True
    settings.watching.server_timeout = 240
    settings.watching.client_timeout = 300
    settings.watching.connect_timeout = 10
    settings.networking.request_timeout = 30
    settings.queueing.worker_limit = None
    settings.queueing.idle_timeout = 1.0
    return settings
