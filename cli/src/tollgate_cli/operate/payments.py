"""``tollgate payments``: what payment providers are asked for, what a person must decide of it, and whose keys work."""

import json
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.console import Console
from rich.table import Table

from tollgate_cli.attach import StateOption, TokenFileOption, UrlOption, attached
from tollgate_cli.operate import output
from tollgate_cli.operate.changing import JsonOption

Json = dict[str, Any]
payments_app = typer.Typer(help="What payment providers are asked for.", no_args_is_help=True)
RequestArgument = Annotated[str, typer.Argument(help="Its id, such as invoice.st_… or evt_….")]


@payments_app.command("list")
def list_command(
    state: Annotated[str, typer.Option(help="stuck: what a person must decide; pending, dropped or done.")] = "stuck",
    state_dir: StateOption = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """List requests, oldest first. Exit code 1: something is stuck."""
    with attached(state_dir, url, token_file) as billing:
        found: Json = billing.get("/v1/outbox", state=state)
        events: list[Json] = billing.get("/v1/inbox")["events"] if state == "stuck" else []
    requests: list[Json] = found["requests"]
    if as_json:
        print(json.dumps({**found, "events": events}, indent=2))  # noqa: T201
    else:
        if requests or not events:
            _show(Console(), requests, state)
        _show_events(Console(), events)
    raise typer.Exit(1 if (requests or events) and state == "stuck" else 0)


@payments_app.command()
def retry(
    request: RequestArgument,
    state_dir: StateOption = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
) -> None:
    """Send one that is stuck again; what an earlier attempt has left is looked for first."""
    with attached(state_dir, url, token_file) as billing:
        billing.post(f"{_place(request)}/retry", {})
    Console().print(f"{request} is sent again.", highlight=False)


@payments_app.command()
def drop(
    request: RequestArgument,
    state_dir: StateOption = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
) -> None:
    """Never send one that is stuck: its statement is paid by other means ('tollgate statements pay')."""
    with attached(state_dir, url, token_file) as billing:
        billing.post(f"{_place(request)}/drop", {})
    Console().print(f"{request} is not sent any more.", highlight=False)


@payments_app.command()
def providers(
    state_dir: StateOption = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """List payment providers and whether their accounts can be used. Exit code 1: one cannot."""
    with attached(state_dir, url, token_file) as billing:
        found: Json = billing.get("/v1/payment-providers")
    rows: list[Json] = found["providers"]
    if as_json:
        print(json.dumps(found, indent=2))  # noqa: T201
    else:
        Console().print(_providers(rows) if rows else "There is no PaymentProvider.")
    raise typer.Exit(0 if all(row["synced"] for row in rows) else 1)


def _providers(rows: list[Json]) -> Table:
    columns = ("provider", "kind", "account", "mode", "synced", "checked", "message")
    cells = [
        (
            row["name"],
            row["kind"],
            row["account"] or "–",
            row["mode"] or "–",
            "yes" if row["synced"] else row["reason"],
            output.minute(row["checked_at"]),
            "" if row["synced"] else row["message"],
        )
        for row in rows
    ]
    return output.table(columns, cells)


def _place(name: str) -> str:
    """Requests are named by what they are about, events as their provider does."""
    box = "outbox" if name.partition(".")[0] in {"invoice", "top_up", "refund"} else "inbox"
    return f"/v1/{box}/{quote(name, safe='')}"


def _show_events(console: Console, events: list[Json]) -> None:
    if events:
        cells = [
            (one["id"], one["provider"], one["kind"], one["about"], output.minute(one["received_at"]), one["problem"])
            for one in events
        ]
        columns = ("event", "provider", "kind", "about", "received", "problem")
        console.print(output.table(columns, cells, title="Events that could not be applied"))


def _show(console: Console, requests: list[Json], state: str) -> None:
    if not requests:
        console.print("Nothing is to be decided." if state == "stuck" else f"No request is {state}.")
        return
    cells = [
        (
            one["id"],
            one["subscription"],
            one["provider"],
            str(one["attempts"]),
            output.minute(one["due_at"]),
            one["problem"],
        )
        for one in requests
    ]
    columns: tuple[output.Column, ...] = (
        "request",
        "subscription",
        "provider",
        ("attempts", "right"),
        "not before",
        "problem",
    )
    console.print(output.table(columns, cells))
