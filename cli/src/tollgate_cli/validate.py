"""Checking a directory of manifests without starting anything."""

from pathlib import Path
from typing import Any

from tollgate_cli.manifests import reconciled
from tollgate_operator.publish import status_document
from tollgate_operator.sources import FileSource


def validate_directory(manifests: Path) -> tuple[dict[str, Any], int]:
    """(status document, number of resources)."""
    loaded = FileSource(manifests.absolute()).load()
    return dict(status_document(reconciled(loaded), True, "")), len(loaded.resources) + len(loaded.broken)
