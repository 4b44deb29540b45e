"""Every change in two steps: billing shows what would be, and does it only when that is confirmed."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from rich.console import Console

Json = dict[str, Any]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do it, without a question.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only show what would be.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


@dataclass(frozen=True)
class Consent:
    """How a change is confirmed."""

    yes: bool
    dry_run: bool
    as_json: bool

    def given(self, question: str) -> bool:
        """Without ``--yes`` only a person at a terminal can give it."""
        if self.yes or self.dry_run:
            return self.yes and not self.dry_run
        return sys.stdin.isatty() and typer.confirm(question, default=False, err=True)


def show_then_do(
    consent: Consent,
    question: str,
    preview: Json,
    show: Callable[[Console], None],
    do: Callable[[], Json],
    said: Callable[[Json], str],
) -> None:
    """Ends the command: 0 where it is done or was only to be shown, 1 where it is not confirmed."""
    console = Console(stderr=consent.as_json)
    if not consent.as_json:
        show(console)
    done = do() if consent.given(question) else None
    if consent.as_json:
        print(json.dumps({"preview": preview, "done": done}, indent=2))  # noqa: T201
    if done is not None:
        console.print(said(done), highlight=False, markup=False)
        raise typer.Exit(0)
    console.print("Nothing was changed." if consent.dry_run else "Nothing was changed; --yes does it.", highlight=False)
    raise typer.Exit(0 if consent.dry_run else 1)
