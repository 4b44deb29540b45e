"""Checking a directory of manifests without starting anything."""

import json
from pathlib import Path
from typing import Any

from rich.console import Console

from tollgate_cli.manifests import INVALID, reconciled, say_if_nothing
from tollgate_cli.output import print_problems
from tollgate_operator.publish import status_document
from tollgate_operator.sources import FileSource


def validate_directory(manifests: Path, *, as_json: bool) -> int:
    """Says what is wrong; answers the exit code."""
    loaded = FileSource(manifests.absolute()).load()
    status = dict(status_document(reconciled(loaded), True, ""))
    wrong = _print_json(status) if as_json else _print(status, len(loaded.resources) + len(loaded.broken))
    if say_if_nothing(Console(stderr=True), manifests, loaded):
        return INVALID
    return 1 if wrong else 0


def _print_json(status: dict[str, Any]) -> bool:
    print(json.dumps(status, indent=2))  # noqa: T201
    conditions = (condition for resource in status["resources"] for condition in resource["conditions"])
    return bool(status["files"]) or any(c["status"] == "False" and c["message"] for c in conditions)


def _print(status: dict[str, Any], count: int) -> bool:
    console = Console()
    bad = print_problems(console, status)
    if count:
        console.print(f"{count} resources, {bad} with problems." if bad else f"{count} resources, all right.")
    return bool(bad)
