"""``tollgate backtest``: what recorded usage would have brought under other prices."""

import json
import re
import zlib
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from tollgate_cli.attach import StateOption, TokenFileOption, UrlOption, attach
from tollgate_cli.errors import CommandError
from tollgate_cli.laptop.billing_client import BillingClient
from tollgate_cli.manifests import INVALID, valid_catalog
from tollgate_cli.tools.arguments import calendar_ms
from tollgate_cli.tools.backtest_output import print_backtest
from tollgate_cli.tools.usage_input import Change, Unreadable, calls_in_billing, calls_in_file, known_in_billing
from tollgate_core.backtest.call import Call
from tollgate_core.backtest.rating import Rater
from tollgate_core.backtest.recompute import Recomputer
from tollgate_core.backtest.report import compared, exceeded, side_of
from tollgate_core.backtest.sides import Known, Recorded, Side
from tollgate_core.catalog import Catalog
from tollgate_core.events import rfc3339
from tollgate_core.pricing import Span

Json = dict[str, Any]
_PERCENTAGE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?%?")


@dataclass
class Run:
    """One backtest: both sides take each call in turn."""

    after: Rater
    before: Rater | None
    since_ms: int | None = None
    until_ms: int | None = None
    events: int = 0
    outside: int = 0
    unreadable: Unreadable = field(default_factory=Unreadable)
    _first_ms: int = 1 << 62
    _last_ms: int = 0

    def take_all(self, calls: Iterator[Call]) -> None:
        """Until the usage ends."""
        raters = [rater for rater in (self.after, self.before) if rater]
        since, until = self.since_ms or 0, self.until_ms or 1 << 62
        for call in calls:
            if not since <= call.at_ms < until:
                self.outside += 1
                continue
            self.events += 1
            self._first_ms, self._last_ms = min(self._first_ms, call.at_ms), max(self._last_ms, call.at_ms)
            for rater in raters:
                rater.take(call)

    def window(self) -> Span:
        """What was asked for; else whole months in UTC around the usage."""
        first, last = self._first_ms, self._last_ms
        if not self.events:
            first = last = self.since_ms or 0
        start = self.since_ms if self.since_ms is not None else _month(first, 0)
        return Span(start, max(start + 1, self.until_ms if self.until_ms is not None else _month(last, 1)))


def backtest_command(
    manifests: Annotated[Path, typer.Argument(help="Directory of manifests to try.", exists=True)],
    usage: Annotated[Path | None, typer.Option(help="Usage events, one JSON per line; also gz.", exists=True)] = None,
    from_billing: Annotated[bool, typer.Option("--from-billing", help="Usage of a running billing.")] = False,
    against: Annotated[Path | None, typer.Option(help="Directory of manifests to compare with.", exists=True)] = None,
    since: Annotated[str, typer.Option(help="Only usage from then on.")] = "",
    until: Annotated[str, typer.Option(help="Only usage before then.")] = "",
    recompute: Annotated[bool, typer.Option(help="Count raw usage anew with the metrics of the manifests.")] = False,
    max_change: Annotated[str, typer.Option(help="Exit with 1 where a currency's total changes more: 5%.")] = "",
    max_customer_change: Annotated[str, typer.Option(help="The same for every single customer.")] = "",
    top: Annotated[int, typer.Option(min=0, help="How many customers are shown.")] = 10,
    state_dir: StateOption = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines, with every customer.")] = False,
) -> None:
    """Rate recorded usage under manifests and compare with a baseline. Exit code 1: a threshold is exceeded; 2: the
    manifests are not valid, or usage cannot be read."""
    if (usage is None) == (not from_billing):
        raise typer.BadParameter("give either --usage FILE or --from-billing")
    thresholds = _thresholds({"customers": max_customer_change, "totals": max_change})
    if thresholds and against is None and not from_billing:
        raise typer.BadParameter("a threshold needs a baseline: --against DIR or --from-billing")
    since_ms = calendar_ms(since, "--since") if since else None
    until_ms = calendar_ms(until, "--until") if until else None
    catalog, baseline = valid_catalog(manifests), valid_catalog(against) if against else None
    recomputer = Recomputer(catalog) if recompute else None
    try:
        with _source(usage, lambda: attach(state_dir, url, token_file)) as source:
            after, before = _raters(catalog, baseline, source.known, from_billing)
            run = Run(after, before, since_ms, until_ms)
            run.take_all(source.calls(run.unreadable, recomputer.apply if recomputer else None))
    except (CommandError, OSError, EOFError, zlib.error) as error:
        Console(stderr=True).print(f"[red]error:[/] {escape(str(error))}", highlight=False)
        raise typer.Exit(INVALID) from error
    answer = _answer(run, recomputer, thresholds)
    if as_json:
        print(json.dumps(answer, indent=2))  # noqa: T201
    else:
        print_backtest(Console(), answer, top)
    raise typer.Exit(INVALID if run.unreadable.count else int(bool(answer["exceeded"])))


def _thresholds(texts: Mapping[str, str]) -> dict[str, Fraction]:
    found: dict[str, Fraction] = {}
    for name, text in texts.items():
        if not text:
            continue
        if not _PERCENTAGE.fullmatch(text):
            raise typer.BadParameter(f"{text!r} is no percentage, for example 5%")
        found[name] = Fraction(text.removesuffix("%"))
    return found


@dataclass(frozen=True)
class _Source:
    known: dict[str, Known]
    calls: Callable[[Unreadable, Change | None], Iterator[Call]]


@contextmanager
def _source(usage: Path | None, open_billing: Callable[[], BillingClient]) -> Generator[_Source]:
    with Progress(console=Console(stderr=True), transient=True) as progress:
        if usage is not None:
            task = progress.add_task("rating", total=usage.stat().st_size)
            file = usage
            yield _Source({}, lambda u, c: calls_in_file(file, u, c, lambda n: progress.update(task, completed=n)))
            return
        progress.add_task("rating", total=None)
        with closing(open_billing()) as client:
            yield _Source(known_in_billing(client), lambda u, c: calls_in_billing(client, u, c))


def _raters(
    catalog: Catalog, baseline: Catalog | None, known: Mapping[str, Known], from_billing: bool
) -> tuple[Rater, Rater | None]:
    after = Side(catalog, known)
    if baseline is not None:
        return Rater(after), Rater(Side(baseline, known))
    return Rater(after), Rater(Recorded(known, after.metrics)) if from_billing else None


def _answer(run: Run, recomputer: Recomputer | None, thresholds: Mapping[str, Fraction]) -> Json:
    window = run.window()
    before = side_of(run.before, window) if run.before else None
    answer = compared(side_of(run.after, window), before)
    over = {name: exceeded(answer[name], most) for name, most in thresholds.items()}
    return {
        "period": {"start": rfc3339(window.start_ms), "end": rfc3339(window.end_ms)},
        "events": run.events,
        "outside": run.outside,
        "unreadable": {"count": run.unreadable.count, "examples": run.unreadable.examples},
        "recomputed": {"changed": recomputer.changed, "kept": recomputer.kept} if recomputer else None,
        **answer,
        "exceeded": {name: rows for name, rows in over.items() if rows},
    }


def _month(moment_ms: int, later: int) -> int:
    moment = datetime.fromtimestamp(moment_ms / 1000, UTC)
    months = moment.year * 12 + moment.month - 1 + later
    return int(datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC).timestamp()) * 1000
