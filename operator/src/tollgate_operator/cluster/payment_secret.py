"""The Secret of the release with the keys of all payment providers, which billing mounts.

Billing may read no Secrets, and so needs no right to read any: it is handed those that it must have.
"""

import base64
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import structlog

from tollgate_operator.cluster.bootstrap import LABELS
from tollgate_operator.cluster.client import ConflictError, KubernetesClient, NotFoundError
from tollgate_operator.cluster.kinds import SECRET

_log = structlog.get_logger("payments")
Owners = Callable[[], Awaitable[Sequence[Mapping[str, Any]]]]


class PaymentSecret:
    """``sync`` brings it to what it should be. All of it is ours: what nobody wants any more goes."""

    def __init__(self, client: KubernetesClient, namespace: str, name: str, owners: Owners) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name
        self._owners = owners

    async def sync(self, files: Mapping[str, str]) -> bool:
        """Whether something was written. Raises KubernetesError; asking again is safe."""
        wanted = {name: base64.b64encode(content.encode()).decode() for name, content in files.items()}
        try:
            found = await self._client.get(SECRET, self._name, self._namespace)
        except NotFoundError:
            return await self._make(wanted)
        held: Mapping[str, str] = found.get("data") or {}
        if held == wanted:
            return False
        changed: dict[str, str | None] = {name: value for name, value in wanted.items() if held.get(name) != value}
        changed |= dict.fromkeys(held.keys() - wanted.keys())
        # With the version: whoever led before us may be at it still.
        version = {"resourceVersion": found["metadata"]["resourceVersion"]}
        await self._client.merge(SECRET, self._name, {"metadata": version, "data": changed}, self._namespace)
        _log.info("keys of payment providers written", files=sorted(changed))
        return True

    async def _make(self, wanted: Mapping[str, str]) -> bool:
        if not wanted:
            return False
        metadata = {"name": self._name, "labels": LABELS, "ownerReferences": list(await self._owners())}
        try:
            body = {"metadata": metadata, "type": "Opaque", "data": wanted}
            await self._client.create(SECRET, body, self._namespace)
        except ConflictError:
            return await self.sync({name: base64.b64decode(value).decode() for name, value in wanted.items()})
        _log.info("keys of payment providers written", files=sorted(wanted))
        return True
