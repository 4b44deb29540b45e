"""A simulated payment provider in a process of its own."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tollgate_cli.laptop import loopback


@dataclass(frozen=True)
class Running:
    """A running simulator."""

    url: str

    def control(self, order: str, /, **body: Any) -> Any:
        """An order to the simulator."""
        answer = loopback.post(f"{self.url}/sandbox/{order}", json=body).raise_for_status()
        return answer.json() if answer.content else None

    def see(self, path: str) -> Any:
        """What the simulator tells of itself."""
        return loopback.get(f"{self.url}/sandbox/{path}").raise_for_status().json()

    def pass_days(self, days: float) -> None:
        self.control("clock", advance_seconds=int(days * 24 * 3600))

    def empty(self) -> None:
        """As new, but for the clock."""
        self.control("webhooks", mode="auto", duplicate=0, drop=0, drop_next=0, delay_ms=0, reorder=False)
        self.control("rates", account=0, endpoint=0)
        self.control("reset")


@contextmanager
def run_provider(name: str, *arguments: str) -> Iterator[str]:
    """The URL of a simulator started for this."""
    command = [sys.executable, "-m", "tollgate_sandbox", name, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("listening on "), line
        try:
            yield line.removeprefix("listening on ").strip()
        finally:
            process.terminate()
            assert process.wait(5) == 0
