"""Skips are easily overlooked; those for want of an API server are said at the end, with what to do."""

from dataclasses import asdict, dataclass
from typing import Any, cast

import pytest

_WORKERS_WORD = "no_kubernetes_api_server"


@dataclass(frozen=True)
class Skipped:
    """How many tests did not run, and how they would."""

    tests: int
    what_to_do: str


_SKIPPED = pytest.StashKey[Skipped]()


def remember(config: pytest.Config, skipped: Skipped) -> None:
    """Until the end. Of a worker, the process that prints the summary is told when it ends."""
    output = cast("dict[str, Any] | None", getattr(config, "workeroutput", None))
    if output is None:
        config.stash[_SKIPPED] = skipped
    else:
        output[_WORKERS_WORD] = asdict(skipped)


def hear(config: pytest.Config, output: dict[str, Any]) -> None:
    """What a worker remembered. Every worker collects every test, so they all say the same."""
    if _WORKERS_WORD in output:
        config.stash[_SKIPPED] = Skipped(**output[_WORKERS_WORD])


def tell(reporter: pytest.TerminalReporter) -> None:
    """Nothing where nothing was skipped."""
    skipped = reporter.config.stash.get(_SKIPPED, None)
    if skipped is not None:
        reporter.section("NO KUBERNETES API SERVER", sep="!", red=True, bold=True)
        reporter.line(f"{skipped.tests} tests did NOT run: everything that needs a real API server.")
        reporter.line(skipped.what_to_do)
