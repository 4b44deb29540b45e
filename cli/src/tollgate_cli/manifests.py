"""A directory of manifests as the operator would serve it, without starting anything."""

from pathlib import Path

import typer
from rich.console import Console
from rich.markup import escape

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


def say_if_nothing(console: Console, manifests: Path, loaded: Loaded) -> bool:
    """Whether there is nothing to judge, which is then said: a wrong folder is not all right."""
    nothing = not (loaded.resources or loaded.broken)
    if nothing:
        where = "no .yaml or .yml file in it has one" if manifests.is_dir() else "it has no document"
        text = f"[red]error:[/] there is no manifest in {escape(str(manifests))}: {where}"
        console.print(text, highlight=False, soft_wrap=True)
    return nothing


def valid_catalog(manifests: Path) -> Catalog:
    """The catalog of a directory in which nothing is wrong; else says on stderr what is, and exits."""
    return valid_state(manifests).catalog


def valid_state(manifests: Path) -> State:
    """The same, with the resources and their secrets."""
    loaded = FileSource(manifests.absolute()).load()
    state, console = reconciled(loaded), Console(stderr=True)
    wrong = print_problems(console, dict(status_document(state, True, "")))
    if say_if_nothing(console, manifests, loaded):
        raise typer.Exit(INVALID)
    if wrong:
        console.print(f"[red]error:[/] {manifests} is not valid; mend it first: tollgate validate {manifests}")
        raise typer.Exit(INVALID)
    return state
