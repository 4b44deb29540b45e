"""``tollgate quote``: what one billing period on a plan would cost."""

import json
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from tollgate_cli.manifests import INVALID, valid_catalog
from tollgate_cli.output import print_quote
from tollgate_cli.tools.arguments import calendar_ms, pairs
from tollgate_core.errors import QuoteError
from tollgate_core.pricing.quote import QuoteRequest, quote, quote_document

#: More than any price allows, and few enough to be read as a number.
_MOST_DIGITS = 9


def quote_command(
    manifests: Annotated[Path, typer.Argument(help="Directory of manifests, or one file.", exists=True)],
    product: Annotated[str, typer.Option(help="The product.")],
    currency: Annotated[str, typer.Option(help="Its currency; the first of the product's prices by default.")] = "",
    usage: Annotated[list[str] | None, typer.Option(help="metric=quantity, for example tokens=3.5M; again.")] = None,
    seats: Annotated[list[str] | None, typer.Option(help="price=number of seats; again.")] = None,
    model: Annotated[str, typer.Option(help="The model that conditions of prices see.")] = "",
    days: Annotated[int | None, typer.Option(help="Days; by default the longest billing period.")] = None,
    start: Annotated[str, typer.Option(help="When the subscription begins; now by default.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Show what one billing period on a plan would cost, computed as a statement is. Exit code 2: the manifests are
    not valid, or the quote asks for what is not on offer."""
    asked = QuoteRequest(
        product=product,
        start_ms=calendar_ms(start, "--start") if start else time.time_ns() // 1_000_000,
        currency=currency,
        usage=pairs(usage or (), "--usage"),
        seats={name: _number(text) for name, text in pairs(seats or (), "--seats").items()},
        model=model,
        days=days,
    )
    try:
        answer = quote_document(quote(valid_catalog(manifests), asked))
    except QuoteError as error:
        Console(stderr=True).print(f"[red]error:[/] {escape(str(error))}", highlight=False)
        raise typer.Exit(INVALID) from error
    if as_json:
        print(json.dumps(answer, indent=2))  # noqa: T201
    else:
        print_quote(Console(), answer)


def _number(text: str) -> int:
    if not text.isdecimal() or len(text) > _MOST_DIGITS:
        raise typer.BadParameter(f"{text!r} is no number of seats", param_hint="--seats")
    return int(text)
