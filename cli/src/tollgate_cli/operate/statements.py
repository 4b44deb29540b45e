"""``tollgate statements``: what was billed, and whether it is still what was billed."""

import json
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.console import Console

from tollgate_cli.attach import StateOption, TokenFileOption, UrlOption, attached
from tollgate_cli.laptop.billing_client import of_subscription
from tollgate_cli.operate import output
from tollgate_cli.operate.changing import Consent, DryRunOption, JsonOption, YesOption, show_then_do
from tollgate_cli.operate.subscriptions import IdOption, made_up_id
from tollgate_cli.output import print_invoice
from tollgate_cli.tools.arguments import calendar_ms
from tollgate_core.events import rfc3339

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
        *(() if subscription else ("subscription",)),
        ("number", "right"),
        "closed",
        ("total", "right"),
        ("from wallet", "right"),
        ("due", "right"),
        "payment",
    )
    cells = [
        (
            one["id"],
            *(() if subscription else (one["subscription"],)),
            str(one["sequence"]),
            output.day(one["closed_at"]),
            output.money(one["total"]),
            output.money(one["paid_from_wallet"]),
            output.money(one["due"]),
            _payment(one),
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
    console.print(f"payment: {_payment(found)}", highlight=False)
    console.print(f"closed {found['closed_at']}, hash {found['hash']}", highlight=False, soft_wrap=True)


@statements_app.command()
def credit(
    statement: Annotated[str, typer.Argument(help="Its id.")],
    line: Annotated[list[int], typer.Option(min=1, help="Number of a line, from 1; may be said several times.")],
    reason: Annotated[str, typer.Option(help="What for; it stands on the next statement.")],
    amount: Annotated[str, typer.Option(help="Of each line, in major units; all that is left if absent.")] = "",
    id_: IdOption = "",
    state_dir: StateOption = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Give lines back: a credit note, which becomes a credit on the next statement."""
    path = f"/v1/statements/{quote(statement, safe='')}/credit-notes"
    wanted = [{"line": number, "amount": amount or None} for number in line]
    body: Json = {"id": id_ or made_up_id(), "lines": wanted, "reason": reason}
    with attached(state_dir, url, token_file) as billing:
        preview: Json = billing.post(path, body, preview="true")
        notes: list[Json] = preview["credit_notes"]
        cells = [(note["id"], str(note["line"]), output.money(note)) for note in notes]
        columns: tuple[output.Column, ...] = ("credit note", ("line", "right"), ("amount", "right"))
        show_then_do(
            Consent(yes, dry_run, as_json),
            f"Give this back on {statement}?",
            preview,
            lambda console: console.print(output.table(columns, cells)),
            lambda: billing.post(path, body),
            lambda done: f"Done: credit note {done['credit_notes'][0]['id']}.",
        )


@statements_app.command()
def pay(
    statement: Annotated[str, typer.Argument(help="Its id.")],
    amount: Annotated[
        str, typer.Option(help="In major units; below zero: it went back. All that is left if absent.")
    ] = "",
    reference: Annotated[str, typer.Option(help="What the bank calls it.")] = "",
    at: Annotated[str, typer.Option(help="When it came in, such as 2026-03-10T12:00:00Z; now if absent.")] = "",
    id_: IdOption = "",
    state_dir: StateOption = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Record what a customer paid by other means than a payment provider, such as a bank transfer."""
    path = f"/v1/statements/{quote(statement, safe='')}/payments"
    body: Json = {"id": id_ or made_up_id(), "amount": amount or None, "reference": reference, "paid_at": _moment(at)}
    with attached(state_dir, url, token_file) as billing:
        preview: Json = billing.post(path, body, preview="true")
        cells = [
            (one["id"], output.day(one["paid_at"]), one["reference"], output.money(one)) for one in preview["payments"]
        ]
        columns: tuple[output.Column, ...] = ("payment", "paid", "reference", ("amount", "right"))
        left = f"{preview['remaining']} {preview['currency']} is left to be paid"
        show_then_do(
            Consent(yes, dry_run, as_json),
            f"Record this for {statement}?",
            preview,
            lambda console: console.print(output.table(columns, cells)),
            lambda: billing.post(path, body),
            lambda done: f"Done: {left}." if done["remaining"].strip("0.") else "Done: paid.",
        )


def _moment(at: str) -> str | None:
    """As all commands take it: a day is enough."""
    return rfc3339(calendar_ms(at, "--at")) if at else None


def _payment(statement: Json) -> str:
    """How much of a statement is paid."""
    if not statement["due"]["minor"]:
        return "nothing due"
    words = {"open": "open", "paid": "paid", "partially_paid": f"{output.money(statement['remaining'])} open"}
    return words[statement["payment_status"]]


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
