"""Kopf's handlers: every event of every kind goes to the store; nothing is decided here.

Only ``on.event`` handlers are used: Kopf then writes nothing to the objects, so that the cluster is silent at rest.
"""

from collections.abc import Callable
from typing import Any

import kopf

from tollgate_operator.cluster.kinds import OWN, REFERRED
from tollgate_operator.cluster.store import Change, Store


def make_registry(store: Store, on_change: Callable[[Change], None]) -> kopf.OperatorRegistry:
    """Handlers that feed ``store`` and say what changed."""
    registry = kopf.OperatorRegistry()

    async def observe(event: Any, **_: Any) -> None:
        on_change(store.apply(event["type"], event["object"]))

    for kind in (*OWN, *REFERRED):
        kopf.on.event(kind.group, kind.version, kind.plural, id=f"observe-{kind.plural}", registry=registry)(observe)
    kopf.on.login(id="login", registry=registry)(_login)
    return registry


def _login(**arguments: Any) -> kopf.ConnectionInfo | None:
    """In a pod its ServiceAccount, elsewhere the KUBECONFIG."""
    return kopf.login_with_service_account(**arguments) or kopf.login_with_kubeconfig(**arguments)


def make_settings() -> kopf.OperatorSettings:
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
