"""``tollgate probe``: what of an upstream's answers would be metered."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from tollgate_cli.errors import CommandError
from tollgate_cli.manifests import INVALID

_PAIR = "; again for more."


def probe_command(
    manifests: Annotated[Path, typer.Argument(help="Directory of manifests, or one file.", exists=True)],
    api: Annotated[str | None, typer.Option(help="Only this API; all by default.")] = None,
    endpoint: Annotated[list[str] | None, typer.Option(help=f"Only this endpoint{_PAIR}")] = None,
    cases: Annotated[list[str] | None, typer.Option(help="Only these, with commas; all by default.")] = None,
    model: Annotated[str | None, typer.Option(help="The model to call.")] = None,
    product: Annotated[str | None, typer.Option(help="Apply the transformations of this product too.")] = None,
    upstream: Annotated[str | None, typer.Option(help="URL to call instead of the declared one.")] = None,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds without a byte before a call is given up.")] = 60,
    with_: Annotated[str, typer.Option("--with", help="JSON merged into every body; null removes a member.")] = "",
    header: Annotated[list[str] | None, typer.Option(help=f"name=value, sent as a client would{_PAIR}")] = None,
    query: Annotated[list[str] | None, typer.Option(help=f"name=value, of the query{_PAIR}")] = None,
    param: Annotated[list[str] | None, typer.Option(help=f"name=value, of the path's parameters{_PAIR}")] = None,
    ignore: Annotated[list[str] | None, typer.Option(help="Dimensions that may be free, with commas.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 where a complete answer is estimated.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Make test calls to an API's own upstream, and show what would be metered of them. They are real: the upstream
    bills them. Exit code 0: all is metered; 1: something that costs money is not; 2: bad input, or an open question."""
    from tollgate_cli.probe.command import ProbeOptions, run_probe  # noqa: PLC0415 (the gate's code, which takes time to load)

    options = ProbeOptions(
        manifests=manifests,
        api=api,
        endpoints=endpoint or (),
        cases=cases or (),
        model=model,
        product=product,
        upstream=upstream,
        timeout=timeout,
        patch=with_,
        headers=header or (),
        query=query or (),
        parameters=param or (),
        ignored=ignore or (),
        strict=strict,
        as_json=as_json,
    )
    try:
        code = run_probe(options)
    except CommandError as error:
        Console(stderr=True).print(f"[red]error:[/] {escape(str(error))}", highlight=False)
        code = INVALID
    raise typer.Exit(code)
