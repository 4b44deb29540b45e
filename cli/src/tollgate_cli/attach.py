"""Commands that attach to a running ``tollgate up``: what the ledger holds, and its dead letters."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from tollgate_cli.errors import CommandError
from tollgate_cli.laptop.billing_client import BillingClient
from tollgate_cli.laptop.session import all_events
from tollgate_cli.laptop.state import StateDirectory, pointer_file

usage_app = typer.Typer(help="What the ledger holds.", invoke_without_command=True)

StateOption = Annotated[
    Path | None, typer.Option("--state-dir", help="State directory of the running system; the last one by default.")
]


def attach(state_dir: Path | None) -> BillingClient:
    """Billing of a running system. Raises CommandError that says how to start one."""
    if state_dir is None:
        try:
            state_dir = Path(pointer_file().read_text().strip())
        except OSError as error:
            raise CommandError("No running system is known. Start one with 'tollgate up DIR'.") from error
    if not (state_dir / "endpoints.json").exists():
        raise CommandError(f"Nothing runs from {state_dir}. Start a system with 'tollgate up DIR'.")
    state = StateDirectory(state_dir)
    return BillingClient(str(state.endpoints()["api_url"]), state.secrets().admin_token)


@usage_app.callback()
def usage(
    context: typer.Context,
    subscription: Annotated[str | None, typer.Option(help="Only this subscription.")] = None,
    state_dir: StateOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the CloudEvents.")] = False,
) -> None:
    """List the ledger's usage events."""
    if context.invoked_subcommand:
        return
    console = Console()
    try:
        events = all_events(attach(state_dir), subscription)
    except CommandError as error:
        console.print(f"[red]error:[/] {error}", highlight=False)
        raise typer.Exit(1) from error
    if as_json:
        print(json.dumps(events, indent=2))  # noqa: T201
        return
    console.print(_table(events))


def _table(events: list[dict[str, Any]]) -> Table:
    table = Table()
    for name in ("time", "subscription", "endpoint", "model", "outcome", "quality", "witness", "quantities"):
        table.add_column(name)
    for event in events:
        data = event["data"]
        quantities = ", ".join(f"{name} {value}" for name, value in data.get("quantities", {}).items())
        model = data.get("servedModel") or data.get("requestedModel") or ""
        row = (
            event["time"],
            event["subject"],
            data["endpoint"],
            model,
            data["outcome"],
            data["quality"],
            data["witness"],
        )
        table.add_row(*row, quantities)
    return table


@usage_app.command()
def replay(
    event_id: Annotated[str | None, typer.Option("--id", help="Only this event; all by default.")] = None,
    state_dir: StateOption = None,
) -> None:
    """Put dead letters back into the stream, after their cause is mended."""
    console = Console()
    try:
        answer = attach(state_dir).post("/v1/dead-letters/replay", {"id": event_id} if event_id else {})
    except CommandError as error:
        console.print(f"[red]error:[/] {error}", highlight=False)
        raise typer.Exit(1) from error
    console.print(f"{answer['replayed']} dead letters are back in the stream.")
