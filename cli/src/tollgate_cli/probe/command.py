"""``tollgate probe`` as a command: arguments in, report and exit code out."""

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import structlog
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from tollgate_cli.errors import CommandError
from tollgate_cli.manifests import valid_state
from tollgate_cli.probe.cases import Case, chosen
from tollgate_cli.probe.naming import model_of
from tollgate_cli.probe.output import print_report
from tollgate_cli.probe.report import exit_code, number_of_calls, report
from tollgate_cli.probe.runner import CaseResult, Settings, prober, redirected
from tollgate_cli.probe.simulated import simulated_upstream
from tollgate_cli.probe.target import Target, choose, planned
from tollgate_cli.tools.arguments import pairs
from tollgate_core.metering.plan import DIMENSIONS


@dataclass(frozen=True)
class ProbeOptions:
    """The command line."""

    manifests: Path
    api: str | None
    endpoints: Sequence[str]
    cases: Sequence[str]
    model: str | None
    product: str | None
    upstream: str | None
    timeout: float
    patch: str
    headers: Sequence[str]
    query: Sequence[str]
    parameters: Sequence[str]
    ignored: Sequence[str]
    strict: bool
    as_json: bool


def run_probe(options: ProbeOptions) -> int:
    """The exit code. Raises CommandError for what cannot be asked so."""
    state = valid_state(options.manifests)
    cases, patch, ignored = chosen(options.cases), _patch(options.patch), _dimensions(options.ignored)
    found = choose(
        state,
        options.api,
        options.endpoints,
        options.product,
        options.upstream,
        bool(patch) and bool(options.endpoints),
    )
    if options.model and len({target.api.qualified_name for target in found.targets}) > 1:
        raise CommandError("One --model for several APIs: choose one of them with --api.")
    settings = Settings(
        models={target.name: model_of(target, options.model) for target in found.targets},
        timeout=options.timeout,
        now_ms=lambda: time.time_ns() // 1_000_000,
        patch=patch,
        headers=pairs(options.headers, "--header"),
        query=pairs(options.query, "--query"),
        parameters=pairs(options.parameters, "--param"),
        ignored=ignored,
    )
    with contextlib.ExitStack() as stack:
        stack.enter_context(_quiet())
        targets = found.targets
        if any(target.upstream.simulated for target in targets):
            url = stack.enter_context(simulated_upstream())
            targets = tuple(redirected(target, url) for target in targets)
        plan = list(planned(targets, cases))
        if not plan:
            raise CommandError("None of these cases exists for these endpoints.")
        results = asyncio.run(_run(plan, settings, state.catalog_hash))
    document = report(results, found.skipped)
    if options.as_json:
        print(json.dumps(document, indent=2))  # noqa: T201
    else:
        print_report(Console(), document)
    return exit_code(results, strict=options.strict)


@contextlib.contextmanager
def _quiet() -> Generator[None]:
    """The gate logs what a report says anyway, and on the same standard output."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)


async def _run(plan: list[tuple[Target, Case, bool]], settings: Settings, catalog: str) -> list[CaseResult]:
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.completed}/{task.total} {task.description}"))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=number_of_calls(plan))
        done = iter([*(case.calls for _, case, _ in plan), 0])
        before = 0

        def say(text: str) -> None:
            nonlocal before
            progress.update(task, advance=before, description=text)
            before = next(done)

        async with prober(settings, catalog) as calling:
            return await calling.run(plan, say)


def _dimensions(names: Sequence[str]) -> frozenset[str]:
    """Of ``--ignore``. Raises CommandError that lists what there is: a misspelt one would be believed to be free."""
    wanted = frozenset(part.strip() for name in names for part in name.split(",") if part.strip())
    for name in sorted(wanted - set(DIMENSIONS)):
        raise CommandError(f"--ignore: there is no dimension {name!r}; there are {', '.join(DIMENSIONS)}.")
    return wanted


def _patch(text: str) -> dict[str, Any]:
    try:
        patch: object = json.loads(text or "{}")
    except ValueError as error:
        raise CommandError(f"--with is no JSON: {error}") from error
    if not isinstance(patch, dict):
        raise CommandError("--with must be a JSON object.")
    return cast("dict[str, Any]", patch)
