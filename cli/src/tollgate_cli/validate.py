"""Checking a directory of manifests without starting anything."""

from pathlib import Path
from typing import Any

from tollgate_cli.laptop.system import SANDBOX_HOST
from tollgate_operator.control_loop import reconcile
from tollgate_operator.envoy import GatewaySettings
from tollgate_operator.publish import status_document
from tollgate_operator.sources import FileSource


def validate_directory(manifests: Path) -> tuple[dict[str, Any], int]:
    """(status document, number of resources)."""
    loaded = FileSource(manifests.absolute()).load()
    settings = GatewaySettings(
        "127.0.0.1", 1, ("127.0.0.1:1",), ("127.0.0.1:1",), "/dev/null", host_aliases={SANDBOX_HOST: "127.0.0.1:1"}
    )
    state = reconcile(loaded, None, settings)
    return dict(status_document(state, True, "")), len(loaded.resources) + len(loaded.broken)
