"""``tollgate explain``: a charge down to its requests, and a request up to its charges."""

import json
from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.console import Console

from tollgate_cli.attach import StateOption, TokenFileOption, UrlOption, attached
from tollgate_cli.laptop.billing_client import BillingClient, of_subscription
from tollgate_cli.tools import explain_output as output

Json = dict[str, Any]
_LARGEST_PAGE = 1000


def explain_command(
    statement: Annotated[str | None, typer.Argument(help="Id of a closed statement; lists all if absent.")] = None,
    line: Annotated[int | None, typer.Argument(help="A line, counted from 1; lists all if absent.")] = None,
    event: Annotated[str | None, typer.Option(help="Id of a usage event instead.")] = None,
    subscription: Annotated[str | None, typer.Option(help="List only its statements.")] = None,
    after: Annotated[str, typer.Option(help="Show the events after this one.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=_LARGEST_PAGE, help="Events of one page.")] = 20,
    every: Annotated[bool, typer.Option("--all", help="All events, page after page.")] = False,
    state_dir: StateOption = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Show how a charge comes about: statement, line, formula, price version, requests. Exit code 1: the events do not
    add up to the line; 2: nothing runs, or there is no such statement, line or event."""
    console = Console()
    with attached(state_dir, url, token_file) as billing:
        if event is not None:
            found = billing.get(f"/v1/usage-events/{quote(event, safe='')}/explanation")
            _show(found, output.journey, console, as_json)
        elif statement is None:
            path = of_subscription(subscription, "/statements") if subscription else "/v1/statements"
            _show({"statements": billing.pages(path, "statements")}, output.statements, console, as_json)
        elif line is None:
            _show(billing.get(f"/v1/statements/{quote(statement, safe='')}"), output.lines, console, as_json)
        else:
            found = _line(billing, statement, line, after, _LARGEST_PAGE if every else limit, every)
            _show(found, output.line, console, as_json)
            raise typer.Exit(int(bool(found["sums"]) and found["sums"]["matches"] is False))


def _show(answer: Json, render: Callable[[Console, Json], None], console: Console, as_json: bool) -> None:
    if as_json:
        print(json.dumps(answer, indent=2))  # noqa: T201
    else:
        render(console, answer)


def _line(billing: BillingClient, statement: str, line: int, after: str, limit: int, every: bool) -> Json:
    path = f"/v1/statements/{quote(statement, safe='')}/lines/{line}"
    answer: Json = billing.get(path, after=after, limit=limit)
    while every and answer["next"]:
        page = billing.get(path, after=answer["next"], limit=limit)
        answer = {**answer, "events": answer["events"] + page["events"], "next": page["next"]}
    return answer
