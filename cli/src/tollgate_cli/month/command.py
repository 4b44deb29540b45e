"""``tollgate up --month`` as a command: manifests in, tables out."""

import json
import logging
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import structlog
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from tollgate_cli.errors import CommandError
from tollgate_cli.manifests import valid_catalog
from tollgate_cli.month.output import print_month
from tollgate_cli.month.simulation import Month, MonthReport
from tollgate_cli.output import print_invoice


def run_month(
    manifests: Path, state_dir: Path | None, customers: int, seed: int, as_json: bool, console: Console
) -> int:
    """0 where the ledger is sound in the end."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    catalog = valid_catalog(manifests)
    if not catalog.products:
        raise CommandError(f"{manifests} has no Product that serves; try: tollgate validate {manifests}")
    today = datetime.now(UTC)
    first_day = datetime(today.year, today.month, 1, tzinfo=UTC)
    if state_dir is not None:
        state_dir.mkdir(parents=True, exist_ok=True)
        if (state_dir / "ledger.db").exists():
            raise CommandError(f"{state_dir} holds a ledger already; name another directory")
        return _show(_run(Month(catalog, state_dir, customers, seed, first_day), console), as_json, console)
    with tempfile.TemporaryDirectory(prefix="tollgate-month-") as scratch:
        return _show(_run(Month(catalog, Path(scratch), customers, seed, first_day), console), as_json, console)


def _run(month: Month, console: Console) -> MonthReport:
    columns = (TextColumn("{task.description}"), BarColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("a month begins", total=month.days)
        return month.run(lambda done, text: progress.update(task, completed=done, description=text))


def _show(report: MonthReport, as_json: bool, console: Console) -> int:
    if as_json:
        print(json.dumps(vars(report), indent=2))  # noqa: T201
    else:
        largest = max(report.statements, key=lambda s: (len(s["lines"]), s["total"]["minor"]), default=None)
        if largest is not None:
            print_invoice(console, largest)
        print_month(console, report)
    return 1 if report.violations else 0
