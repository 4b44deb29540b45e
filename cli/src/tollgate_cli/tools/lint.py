"""``tollgate lint``: what is doubtful in prices that are valid."""

import json
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape

from tollgate_cli.manifests import valid_catalog
from tollgate_core.pricing.lint import SEVERITIES, Finding, lint

FailOn = Literal["error", "warning", "info"]
_COLOURS = {"error": "red", "warning": "yellow", "info": "dim"}


def lint_command(
    manifests: Annotated[Path, typer.Argument(help="Directory of manifests, or one file.", exists=True)],
    fail_on: Annotated[FailOn, typer.Option(help="Exit with 1 from this severity on.")] = "error",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Find what is doubtful in prices and products. Exit code 0: nothing; 1: findings; 2: the manifests are not
    valid."""
    findings = lint(valid_catalog(manifests), time.time_ns() // 1_000_000)
    grave = SEVERITIES[: SEVERITIES.index(fail_on) + 1]
    if as_json:
        print(json.dumps({"findings": [asdict(finding) for finding in findings]}, indent=2))  # noqa: T201
    else:
        _show(findings)
    raise typer.Exit(int(any(finding.severity in grave for finding in findings)))


def _show(findings: list[Finding]) -> None:
    console = Console(soft_wrap=True)
    for finding in findings:
        word = f"[{_COLOURS[finding.severity]}]{finding.severity:8}[/]"
        where = f"[bold]{escape(finding.resource)}[/] {escape(finding.field)}"
        console.print(f"{word} {where} [dim]({finding.rule})[/]\n         {escape(finding.message)}", highlight=False)
        console.print(f"         → {escape(finding.advice)}", highlight=False)
    counts = Counter(finding.severity for finding in findings)
    shown = ", ".join(f"{counts[severity]} {severity}" for severity in SEVERITIES if counts[severity])
    console.print(f"{len(findings)} findings: {shown}." if findings else "Nothing to say.", highlight=False)
