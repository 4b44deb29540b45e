"""Remembering across restarts what serves in place of a broken edit: specs in a ConfigMap, never a Secret's value."""

import json
from collections.abc import Mapping
from typing import Any

import structlog

from tollgate_core.errors import ManifestError
from tollgate_core.manifests import Secret
from tollgate_core.manifests.parse import Manifest, parse_manifest
from tollgate_operator.cluster.client import KubernetesClient, NotFoundError
from tollgate_operator.cluster.kinds import CONFIG_MAP
from tollgate_operator.control_loop import State
from tollgate_operator.reconcile import ResourceKey

_log = structlog.get_logger("memory")
_LARGEST = 900_000


def worth_remembering(state: State) -> dict[str, str]:
    """Those whose last good version serves, by a name that a ConfigMap takes. Pure."""
    kept: dict[str, str] = {}
    for (kind, name), status in state.statuses.items():
        manifest = state.resources.get((kind, name))
        if status.serving == "previous" and manifest is not None and not isinstance(manifest, Secret):
            kept[f"{kind}.{name.replace('/', '.')}"] = manifest.model_dump_json(by_alias=True, exclude={"status"})
    return kept


class Memory:
    """One ConfigMap; written where it changed."""

    def __init__(self, client: KubernetesClient, namespace: str, name: str, owners: list[dict[str, Any]]) -> None:
        self._client = client
        self._owners = owners
        self._namespace = namespace
        self._name = name
        self._written: Mapping[str, str] | None = None

    async def read(self) -> dict[ResourceKey, Manifest]:
        """What was remembered; what cannot be read any more is left out."""
        try:
            found = await self._client.get(CONFIG_MAP, self._name, self._namespace)
        except NotFoundError:
            return {}
        manifests: dict[ResourceKey, Manifest] = {}
        data: dict[str, str] = found.get("data") or {}
        for name, content in data.items():
            try:
                manifest = parse_manifest(json.loads(content))
            except (ManifestError, ValueError) as error:
                _log.warning("a remembered spec cannot be read", name=name, error=str(error))
                continue
            manifests[manifest.kind, manifest.qualified_name] = manifest
        self._written = data
        return manifests

    async def write(self, kept: Mapping[str, str]) -> None:
        """Raises KubernetesError."""
        if kept == (self._written or {}):
            return
        if sum(len(text.encode()) for text in kept.values()) > _LARGEST:
            _log.error("too much to remember: a restart would lose the last good version of some", count=len(kept))
            return
        # None removes what is no longer there.
        data: dict[str, str | None] = {**dict.fromkeys(self._written or {}), **kept}
        try:
            await self._client.merge(CONFIG_MAP, self._name, {"data": data}, self._namespace)
        except NotFoundError:
            metadata = {"name": self._name, "ownerReferences": self._owners}
            body = {"metadata": metadata, "data": dict(kept)}
            await self._client.create(CONFIG_MAP, body, self._namespace)
        self._written = dict(kept)
