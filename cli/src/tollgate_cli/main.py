"""The commands."""

import json
import shutil
import signal
import tempfile
import threading
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from tollgate_cli.attach import usage_app
from tollgate_cli.errors import CommandError
from tollgate_cli.laptop.options import UpOptions
from tollgate_cli.laptop.session import Session
from tollgate_cli.laptop.showing import serve, show, summary
from tollgate_cli.laptop.system import System
from tollgate_cli.operate.checkouts import checkouts_app, portal_command
from tollgate_cli.operate.grants import grants_app
from tollgate_cli.operate.limits import limits_app
from tollgate_cli.operate.migrate import migrate_command
from tollgate_cli.operate.payments import payments_app
from tollgate_cli.operate.reconcile import reconcile_command
from tollgate_cli.operate.refunds import refund_statement, refund_top_up
from tollgate_cli.operate.statements import statements_app
from tollgate_cli.operate.subscriptions import subscriptions_app
from tollgate_cli.operate.top_ups import notifications_command, top_ups_app
from tollgate_cli.tools.backtest import backtest_command
from tollgate_cli.tools.explain import explain_command
from tollgate_cli.tools.lint import lint_command
from tollgate_cli.tools.probe import probe_command
from tollgate_cli.tools.quote import quote_command
from tollgate_cli.validate import validate_directory

app = typer.Typer(
    help="Tollgate: an LLM API, billable, on your own cluster.", no_args_is_help=True, add_completion=False
)
app.add_typer(usage_app, name="usage")
app.command("lint")(lint_command)
app.command("probe")(probe_command)
app.command("quote")(quote_command)
app.command("explain")(explain_command)
app.command("backtest")(backtest_command)
app.command("migrate")(migrate_command)
app.command("reconcile")(reconcile_command)
app.add_typer(subscriptions_app, name="subscriptions")
app.add_typer(statements_app, name="statements")
app.add_typer(payments_app, name="payments")
app.add_typer(checkouts_app, name="checkouts")
subscriptions_app.command("portal")(portal_command)
statements_app.command("refund")(refund_statement)
top_ups_app.command("refund")(refund_top_up)
app.add_typer(grants_app, name="grants")
app.add_typer(limits_app, name="limits")
app.add_typer(top_ups_app, name="top-ups")
app.command("notifications")(notifications_command)

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


@app.command()
def up(
    manifests: Annotated[Path, typer.Argument(help="Directory of manifests, or one file.", exists=True)],
    state_dir: Annotated[Path | None, typer.Option(help="Keep all state here; without it state is deleted.")] = None,
    gateway_port: Annotated[int, typer.Option(help="Port of the gateway; 0 takes a free one.")] = 0,
    gateway_address: Annotated[str, typer.Option(help="Address the gateway listens on.")] = "127.0.0.1",
    requests: Annotated[int, typer.Option(min=0, help="How many demo requests are sent.")] = 60,
    exit_: Annotated[bool, typer.Option("--exit", help="Stop after the demo; 1 if not exact, or not paid.")] = False,
    envoy: Annotated[str | None, typer.Option(help="Path of an Envoy binary.")] = None,
    redis: Annotated[str | None, typer.Option(help="Path of a Valkey or Redis server, or a redis:// URL.")] = None,
    database: Annotated[str | None, typer.Option(help="SQLAlchemy URL of the ledger; SQLite by default.")] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes of gate and meter.")] = 1,
    hold_seconds: Annotated[int, typer.Option(min=1, help="How long a request may hold quota unsettled.")] = 3600,
    join_grace_seconds: Annotated[int, typer.Option(min=1, help="How long the meter's word waits for the log's.")] = 10,
    real_payments: Annotated[
        bool, typer.Option("--real-payments", help="Use the real payment providers: customers are charged.")
    ] = False,
    month: Annotated[
        bool, typer.Option("--month", help="Invent a month of customers instead, bill it in seconds, and stop.")
    ] = False,
    customers: Annotated[int, typer.Option(min=1, max=100_000, help="How many customers a month has.")] = 40,
    seed: Annotated[int, typer.Option(help="Another one invents another month.")] = 1,
    as_json: Json = False,
) -> None:
    """Start everything from MANIFESTS, send real requests through it, show the bill; runs until Ctrl-C."""
    if month:
        raise typer.Exit(_month(manifests, state_dir, customers, seed, as_json))
    state = state_dir or Path(tempfile.mkdtemp(prefix="tollgate-state-"))
    options = UpOptions(
        manifests.absolute(),
        state,
        gateway_port,
        gateway_address,
        envoy,
        redis,
        database,
        workers,
        hold_seconds,
        join_grace_seconds,
        real_payments,
    )
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, partial(_interrupt, stop))
    console = Console(stderr=as_json)
    try:
        code = _up(options, requests, exit_, as_json, console, stop)
    except KeyboardInterrupt:
        code = 130
    except CommandError as error:
        console.print(f"[red]error:[/] {error}", highlight=False)
        code = 1
    finally:
        if state_dir is None:
            shutil.rmtree(state, ignore_errors=True)
    raise typer.Exit(code)


def _month(manifests: Path, state_dir: Path | None, customers: int, seed: int, as_json: bool) -> int:
    """0 where the ledger is sound in the end."""
    from tollgate_cli.month.command import run_month  # noqa: PLC0415 (billing's own code, which nothing else here needs)

    console = Console(stderr=as_json)
    try:
        return run_month(manifests, state_dir, customers, seed, as_json, console)
    except CommandError as error:
        console.print(f"[red]error:[/] {error}", highlight=False)
        return 1


def _interrupt(stop: threading.Event, *_: object) -> None:
    if stop.is_set():
        return
    stop.set()
    raise KeyboardInterrupt


def _up(
    options: UpOptions, requests: int, exit_after: bool, as_json: bool, console: Console, stop: threading.Event
) -> int:
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), console=console, transient=True) as progress:
        task = progress.add_task("starting")
        system = System(options, say=lambda text: progress.update(task, description=text))
        with system:
            system.start()
            session = Session(system)
            progress.update(task, description="issuing keys")
            session.issue_keys()
            progress.remove_task(task)
            outcome = session.run_demo(requests, progress)
            progress.stop()
            if as_json:
                print(json.dumps(summary(session, outcome), indent=2))  # noqa: T201
            else:
                show(console, session, outcome)
            if not exit_after:
                serve(console, session, outcome, stop)
            session.billing.close()
    return 0 if outcome.exact else 1


@app.command()
def validate(
    manifests: Annotated[Path, typer.Argument(help="Directory of manifests, or one file.", exists=True)],
    as_json: Json = False,
) -> None:
    """Check manifests as the operator would, without starting anything. Exit code 1: something is wrong; 2: there is no
    manifest at all."""
    raise typer.Exit(validate_directory(manifests, as_json=as_json))


@app.command()
def crds(
    output: Annotated[Path | None, typer.Option(help="Directory to write one file per kind into.")] = None,
    docs: Annotated[Path | None, typer.Option(help="File to write the reference of all fields into.")] = None,
) -> None:
    """Print or write the CustomResourceDefinitions, or their reference."""
    from tollgate_cli.crds import write_crds, write_reference  # noqa: PLC0415 (PyYAML only here)

    if docs:
        write_reference(docs)
    if output or not docs:
        write_crds(output)
