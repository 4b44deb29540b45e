"""``tollgate statements``: what was billed, and whether it is still what was billed."""

import json
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.console import Console

from tollgate_cli.attach import StateOption, TokenFileOption, UrlOption, attached
from tollgate_cli.laptop.billing_client import of_subscription
from tollgate_cli.operate import output
from tollgate_cli.operate.changing import JsonOption
from tollgate_cli.output import print_invoice

Json = dict[str, Any]
statements_app = typer.Typer(help="Closed statements.", no_args_is_help=True)
_CHANGED = 1


@statements_app.command("list")
def list_command(
    subscription: Annotated[str | None, typer.Argument(help="Only of this subscription.")] = None,
    state_dir: StateOption = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """List them, oldest first."""
    path = of_subscription(subscription, "/statements") if subscription else "/v1/statements"
    with attached(state_dir, url, token_file) as billing:
        found = billing.pages(path, "statements")
    if as_json:
        print(json.dumps({"statements": found}, indent=2))  # noqa: T201
        return
    columns: tuple[output.Column, ...] = (
        "statement",
        "subscription",
        ("number", "right"),
        "closed",
        ("total", "right"),
        ("from wallet", "right"),
        ("due", "right"),
    )
    cells = [
        (
            one["id"],
            one["subscription"],
            str(one["sequence"]),
            output.day(one["closed_at"]),
            output.money(one["total"]),
            output.money(one["paid_from_wallet"]),
            output.money(one["due"]),
        )
        for one in found
    ]
    console = Console()
    console.print(output.table(columns, cells) if found else "No statement is closed yet.")


@statements_app.command()
def show(
    statement: Annotated[str, typer.Argument(help="Its id.")],
    as_csv: Annotated[bool, typer.Option("--csv", help="Print one row for each line, for a spreadsheet.")] = False,
    state_dir: StateOption = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one with its lines; 'tollgate explain' goes on to the requests."""
    path = f"/v1/statements/{quote(statement, safe='')}"
    with attached(state_dir, url, token_file) as billing:
        if as_csv:
            print(billing.text(f"{path}/csv"), end="")  # noqa: T201
            return
        found: Json = billing.get(path)
    if as_json:
        print(json.dumps(found, indent=2))  # noqa: T201
        return
    console = Console()
    print_invoice(console, found)
    console.print(f"closed {found['closed_at']}, hash {found['hash']}", highlight=False, soft_wrap=True)


@statements_app.command()
def verify(
    subscription: Annotated[str | None, typer.Argument(help="Only of this subscription; all if absent.")] = None,
    state_dir: StateOption = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check that no closed statement was changed: each hash covers it and the one before. Exit code 1: one was."""
    with attached(state_dir, url, token_file) as billing:
        names = [subscription] if subscription else _names(billing.get("/v1/subscriptions"))
        found = {name: billing.get(of_subscription(name, "/verify")) for name in names}
    changed = {name: one["changed"] for name, one in found.items() if one["changed"]}
    if as_json:
        print(json.dumps({"subscriptions": found}, indent=2))  # noqa: T201
    else:
        console = Console()
        for name, statements in changed.items():
            console.print(f"[red]changed[/]: {', '.join(statements)} of {name}", highlight=False)
        total = sum(one["statements"] for one in found.values())
        word = f"{sum(map(len, changed.values()))} were changed" if changed else "all as they were closed"
        console.print(f"{total} statements of {len(found)} subscriptions: {word}.", highlight=False)
    raise typer.Exit(_CHANGED if changed else 0)


def _names(answer: Json) -> list[str]:
    return [row["name"] for row in answer["subscriptions"]]
