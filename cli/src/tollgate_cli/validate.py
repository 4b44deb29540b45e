"""Checking a directory of manifests without starting anything."""

from pathlib import Path
from typing import Any

from tollgate_cli.laptop.system import SANDBOX_HOST
from tollgate_core.catalog import Catalog
from tollgate_operator.control_loop import reconcile
from tollgate_operator.envoy import GatewaySettings
from tollgate_operator.publish import status_document
from tollgate_operator.sources import FileSource

_NOWHERE = "127.0.0.1:1"
_SETTINGS = GatewaySettings(
    "127.0.0.1", 1, (_NOWHERE,), (_NOWHERE,), "/dev/null", host_aliases={SANDBOX_HOST: _NOWHERE}
)


def catalog_of_directory(manifests: Path) -> Catalog:
    """Of what is right in it; nothing is started."""
    return reconcile(FileSource(manifests.absolute()).load(), None, _SETTINGS).catalog


def validate_directory(manifests: Path) -> tuple[dict[str, Any], int]:
    """(status document, number of resources)."""
    loaded = FileSource(manifests.absolute()).load()
    state = reconcile(loaded, None, _SETTINGS)
    return dict(status_document(state, True, "")), len(loaded.resources) + len(loaded.broken)
