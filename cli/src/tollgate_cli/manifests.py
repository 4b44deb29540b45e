"""A directory of manifests as the operator would serve it, without starting anything."""

from pathlib import Path

import typer
from rich.console import Console

from tollgate_cli.laptop.system import SANDBOX_HOST
from tollgate_cli.output import print_problems
from tollgate_core.catalog import Catalog
from tollgate_operator.control_loop import State, reconcile
from tollgate_operator.envoy import GatewaySettings
from tollgate_operator.publish import status_document
from tollgate_operator.sources import FileSource
from tollgate_operator.sources.files import Loaded

#: Of the tools: their input is wrong, so that they could not say anything.
INVALID = 2


def reconciled(loaded: Loaded) -> State:
    """What would serve, and what is wrong."""
    settings = GatewaySettings(
        "127.0.0.1", 1, ("127.0.0.1:1",), ("127.0.0.1:1",), "/dev/null", host_aliases={SANDBOX_HOST: "127.0.0.1:1"}
    )
    return reconcile(loaded, None, settings)


def valid_catalog(manifests: Path) -> Catalog:
    """The catalog of a directory in which nothing is wrong; else says on stderr what is, and exits."""
    return valid_state(manifests).catalog


def valid_state(manifests: Path) -> State:
    """The same, with the resources and their secrets."""
    state = reconciled(FileSource(manifests.absolute()).load())
    console = Console(stderr=True)
    if print_problems(console, dict(status_document(state, True, ""))):
        console.print(f"[red]error:[/] {manifests} is not valid; mend it first: tollgate validate {manifests}")
        raise typer.Exit(INVALID)
    return state
