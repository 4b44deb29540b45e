"""Commands that attach to a running ``tollgate up``: what the ledger holds, and its dead letters."""

import json
import os
import ssl
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, Concatenate, ParamSpec

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tollgate_cli.errors import CommandError
from tollgate_cli.laptop.billing_client import BillingClient
from tollgate_cli.laptop.session import all_events
from tollgate_cli.laptop.state import StateDirectory, pointer_file
from tollgate_cli.manifests import INVALID

URL_VARIABLE, TOKEN_VARIABLE = "TOLLGATE_BILLING_URL", "TOLLGATE_ADMIN_TOKEN"
CA_VARIABLE, NAME_VARIABLE = "TOLLGATE_BILLING_CA", "TOLLGATE_BILLING_TLS_NAME"
usage_app = typer.Typer(help="What the ledger holds.", invoke_without_command=True)

StateOption = Annotated[
    Path | None, typer.Option("--state-dir", help="State directory of the running system; the last one by default.")
]


UrlOption = Annotated[
    str | None, typer.Option("--url", envvar=URL_VARIABLE, help="URL of billing, instead of a state directory.")
]
TokenFileOption = Annotated[
    Path | None,
    typer.Option("--token-file", help=f"File that holds the admin token; with --url, else {TOKEN_VARIABLE} is read."),
]

_PLACE: dict[str, Any] = {"state_dir": StateOption, "url": UrlOption, "token_file": TokenFileOption}
P = ParamSpec("P")


def attach(state_dir: Path | None, url: str | None = None, token_file: Path | None = None) -> BillingClient:
    """Billing of a running system: by its URL, else by a state directory. Raises CommandError that says what is
    missing."""
    if url and state_dir is None:
        return BillingClient(url, _token(token_file), _trust(url), os.environ.get(NAME_VARIABLE) or None)
    if state_dir is None:
        try:
            state_dir = Path(pointer_file().read_text().strip())
        except OSError as error:
            raise CommandError("No running system is known. Start one with 'tollgate up DIR'.") from error
    if not (state_dir / "endpoints.json").exists():
        raise CommandError(f"Nothing runs from {state_dir}. Start a system with 'tollgate up DIR'.")
    state = StateDirectory(state_dir)
    try:
        return BillingClient(str(state.endpoints()["api_url"]), state.secrets().admin_token)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CommandError(f"{state_dir} is not the state of a running system: {error}") from error


def _trust(url: str) -> ssl.SSLContext | None:
    """On a cluster billing's certificate is signed by the operator, so its authority has to be given."""
    file = os.environ.get(CA_VARIABLE)
    if not file or not url.startswith("https"):
        return None
    try:
        return ssl.create_default_context(cafile=file)
    except (OSError, ssl.SSLError) as error:
        raise CommandError(f"{CA_VARIABLE}: {file} cannot be read as PEM of certificates.") from error


def _token(file: Path | None) -> str:
    """Never an argument: those are seen by everybody on the machine."""
    try:
        token = file.read_text().strip() if file else os.environ.get(TOKEN_VARIABLE, "").strip()
    except OSError as error:
        raise CommandError(f"The token cannot be read from {file}: {error.strerror}") from error
    if not token:
        raise CommandError(
            f"With --url the admin token is needed: in {TOKEN_VARIABLE}, or in a file with --token-file."
        )
    if not token.isascii() or not token.isprintable():
        raise CommandError("The admin token holds what no header can.")
    return token


@contextmanager
def attached(state_dir: Path | None, url: str | None, token_file: Path | None) -> Generator[BillingClient]:
    """Billing, for a command; what goes wrong is printed, and the exit code is 2."""
    try:
        with closing(attach(state_dir, url, token_file)) as billing:
            yield billing
    except CommandError as error:
        Console(stderr=True).print(f"[red]error:[/] {escape(str(error))}", highlight=False)
        raise typer.Exit(INVALID) from error


def at_billing(command: Callable[Concatenate[BillingClient, P], None]) -> Callable[..., None]:
    """A command of a running billing, which it gets first; the options that say where that is are added here, once."""

    @wraps(command)
    def run(*arguments: Any, **options: Any) -> None:
        with attached(*(options.pop(name) for name in _PLACE)) as billing:
            command(billing, *arguments, **options)

    _, *own = signature(command, eval_str=True).parameters.values()
    added = [Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=kind) for name, kind in _PLACE.items()]
    run.__signature__ = Signature([*own, *added])  # type: ignore[attr-defined]  # what Typer reads
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in (*own, *added)}
    return run


@usage_app.callback()
def usage(
    context: typer.Context,
    subscription: Annotated[str | None, typer.Option(help="Only this subscription.")] = None,
    state_dir: StateOption = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the CloudEvents.")] = False,
) -> None:
    """List the ledger's usage events."""
    if context.invoked_subcommand:
        return
    with attached(state_dir, url, token_file) as billing:
        events = all_events(billing, subscription)
    if as_json:
        _print_lines(events)
    elif events:
        Console().print(_table(events))
    else:
        Console().print("No usage is recorded" + (f" of {subscription}." if subscription else "."), markup=False)


def _print_lines(events: list[dict[str, Any]]) -> None:
    """A list, with one event per line: as it is ``tollgate backtest`` reads it, and so does what reads lines."""
    lines = ",\n".join(json.dumps(event) for event in events)
    print(f"[\n{lines}\n]" if lines else "[]")  # noqa: T201


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
    url: UrlOption = None,
    token_file: TokenFileOption = None,
) -> None:
    """Put dead letters back into the stream, after their cause is mended."""
    with attached(state_dir, url, token_file) as billing:
        answer = billing.post("/v1/dead-letters/replay", {"id": event_id} if event_id else {})
    Console().print(f"{answer['replayed']} dead letters are back in the stream.")
