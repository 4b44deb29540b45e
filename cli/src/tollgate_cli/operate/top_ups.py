"""``tollgate top-ups``: money that customers pay in, and ``tollgate notifications``."""

import json
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.console import Console

from tollgate_cli.attach import StateOption, TokenFileOption, UrlOption, at_billing, attached
from tollgate_cli.laptop.billing_client import BillingClient, of_subscription
from tollgate_cli.operate import output
from tollgate_cli.operate.changing import JsonOption
from tollgate_cli.operate.subscriptions import AmountArgument, IdOption, NameArgument, find, made_up_id

Json = dict[str, Any]
top_ups_app = typer.Typer(help="Money that customers pay in.", no_args_is_help=True)
TopUpArgument = Annotated[str, typer.Argument(help="Its id.")]
NoteOption = Annotated[str, typer.Option(help="How it was paid, or why not.")]


@top_ups_app.command("list")
def list_command(
    subscription: Annotated[str | None, typer.Argument(help="All of this one; if absent, what is pending.")] = None,
    state_dir: StateOption = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """List them, oldest first."""
    path = of_subscription(subscription, "/top-ups") if subscription else "/v1/top-ups"
    with attached(state_dir, url, token_file) as billing:
        found: Json = billing.get(path)
    _print(found, as_json)


@top_ups_app.command()
@at_billing
def show(billing: BillingClient, top_up: TopUpArgument, as_json: JsonOption = False) -> None:
    """Show one, with the link where the customer can pay it."""
    found: Json = billing.get(f"/v1/top-ups/{quote(top_up, safe='')}")
    _print({"top_ups": [found]}, as_json, found)
    invoice: Json = found["invoice"] or {}
    if not as_json and invoice.get("url"):
        print(invoice["url"])  # noqa: T201 (a link that is broken into lines cannot be opened)


@top_ups_app.command()
def add(
    name: NameArgument,
    amount: AmountArgument,
    id_: IdOption = "",
    state_dir: StateOption = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask for a payment. It becomes credit when it is paid."""
    with attached(state_dir, url, token_file) as billing:
        made: Json = billing.post(of_subscription(name, "/top-ups"), {"id": id_ or made_up_id(), "amount": amount})
    _print({"top_ups": [made]}, as_json)


@top_ups_app.command()
def paid(
    top_up: TopUpArgument,
    note: NoteOption = "",
    state_dir: StateOption = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say that one was paid: it becomes a grant, once."""
    _settle(top_up, "paid", note, (state_dir, url, token_file), as_json)


@top_ups_app.command()
def failed(
    top_up: TopUpArgument,
    note: NoteOption = "",
    state_dir: StateOption = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say that one will not be paid. After a failed automatic one there is none until the customer asks again."""
    _settle(top_up, "failed", note, (state_dir, url, token_file), as_json)


@top_ups_app.command()
def automatic(
    name: NameArgument,
    below: Annotated[str, typer.Option(help="Pay in whenever less than this is available.")] = "",
    amount: Annotated[str, typer.Option(help="How much each time.")] = "",
    month: Annotated[str, typer.Option(help="At most so much in 30 days.")] = "",
    off: Annotated[bool, typer.Option("--off", help="No more automatic ones.")] = False,
    state_dir: StateOption = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what is paid in by itself, or say what shall be."""
    path = of_subscription(name, "/automatic-top-up")
    asked = {"below": below, "amount": amount, "month": month}
    if any(asked.values()) and not all(asked.values()):
        raise typer.BadParameter("--below, --amount and --month belong together")
    with attached(state_dir, url, token_file) as billing:
        if off:
            found: Json = billing.delete(path)
        elif below:
            found = billing.put(path, asked)
        else:
            found = billing.get(path)
    if as_json:
        print(json.dumps(found, indent=2))  # noqa: T201
        return
    wanted = found["automatic"]
    console = Console()
    if wanted is None:
        console.print(f"Nothing is paid in by itself for {name}.", highlight=False)
    else:
        amounts = [(part, f"{wanted[part]} {wanted['currency']}") for part in ("below", "amount", "month")]
        output.facts(console, [*amounts, ("state", wanted["state"])])


def notifications_command(
    subscription: Annotated[str | None, typer.Argument(help="Only of this subscription.")] = None,
    state_dir: StateOption = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what somebody is to be told: low credit, limits that fill, top-ups. Oldest first."""
    with attached(state_dir, url, token_file) as billing:
        found = billing.pages("/v1/notifications", "notifications", subscription=subscription)
        if subscription and not found:
            find(billing, subscription)  # a misspelt name has nothing to tell either
    if as_json:
        print(json.dumps({"notifications": found}, indent=2))  # noqa: T201
        return
    cells = [(output.minute(one["at"]), one["kind"], one["subscription"], _said(one["data"])) for one in found]
    table = output.table(("when", "what", "subscription", "data"), cells)
    Console().print(table if found else "There is nothing to tell.")


def _said(data: Json) -> str:
    return ", ".join(f"{name} {value}" for name, value in data.items() if value != "")


def _settle(top_up: str, state: str, note: str, place: tuple[Any, Any, Any], as_json: bool) -> None:
    with attached(*place) as billing:
        settled: Json = billing.post(f"/v1/top-ups/{quote(top_up, safe='')}/{state}", {"note": note})
    _print({"top_ups": [settled]}, as_json)


def _print(found: Json, as_json: bool, one: Json | None = None) -> None:
    """``one``: the only one, where JSON needs no list."""
    if as_json:
        print(json.dumps(one or found, indent=2))  # noqa: T201
        return
    columns: tuple[output.Column, ...] = (
        "top-up",
        "subscription",
        ("amount", "right"),
        "why",
        "state",
        "since",
        "note",
    )
    cells = [
        (
            one["id"],
            one["subscription"],
            f"{one['amount']} {one['currency']}",
            one["reason"],
            one["state"],
            output.minute(one["settled_at"] or one["created_at"]),
            one["note"],
        )
        for one in found["top_ups"]
    ]
    Console().print(output.table(columns, cells) if cells else "There is none.")
