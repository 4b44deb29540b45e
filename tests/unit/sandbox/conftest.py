"""A sandbox in a process of its own, as every real client meets it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tollgate_cli.laptop import loopback


@dataclass(frozen=True)
class Server:
    url: str
    process: "subprocess.Popen[str]"

    def journal(self) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = loopback.get(f"{self.url}/sandbox/journal").raise_for_status().json()
        return entries

    def last(self) -> dict[str, Any]:
        return self.journal()[-1]

    def totals(self) -> dict[str, Any]:
        totals: dict[str, Any] = loopback.get(f"{self.url}/sandbox/totals").raise_for_status().json()
        return totals

    def release(self, name: str) -> None:
        loopback.post(f"{self.url}/sandbox/release/{name}").raise_for_status()


@contextmanager
def run_sandbox(*arguments: str) -> Iterator[Server]:
    command = [sys.executable, "-m", "tollgate_sandbox", "--port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("listening on ")
        try:
            yield Server(line.removeprefix("listening on ").strip(), process)
        finally:
            process.terminate()
            process.wait(5)


@pytest.fixture(scope="session")
def running() -> Iterator[Server]:
    with run_sandbox() as server:
        yield server


@pytest.fixture
def server(running: Server) -> Server:
    """The shared process with an empty journal."""
    loopback.delete(f"{running.url}/sandbox/journal").raise_for_status()
    return running


def script(**fields: object) -> dict[str, str]:
    """The header that carries a script."""
    return {"x-sandbox": json.dumps(fields)}


@pytest.fixture
def http(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=5) as client:
        yield client
