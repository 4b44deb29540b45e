"""A whole running system for tests: real Envoy, Valkey and every component as a process of its own."""

import os
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import redis

from tests.support.manifests import Document, write
from tollgate_cli.errors import CommandError
from tollgate_cli.laptop import loopback
from tollgate_cli.laptop.options import UpOptions
from tollgate_cli.laptop.reconciliation import EndpointCount, compare, upstream_journal
from tollgate_cli.laptop.session import Session
from tollgate_cli.laptop.system import System, wait_for
from tollgate_core.redis_contract import PARTITIONS, Keys


class Gateway:
    """Start, call, break, compare. Use as a context manager."""

    def __init__(self, directory: Path, documents: list[Document], **options: Any) -> None:
        modes = [d["spec"].get("metering", {}).get("mode", "stream") for d in documents if d["kind"] == "API"]
        #: stream or native where all APIs have one mode.
        self.mode = modes[0] if len(set(modes)) == 1 else "mixed"
        self.manifests = write(directory / "manifests", documents)
        self.system = System(UpOptions(self.manifests, directory / "state", **options))
        self.session: Session
        self._redis: redis.Redis | None = None

    def __enter__(self) -> Self:
        try:
            self.system.start()
            self.session = Session(self.system)
            self.session.issue_keys()
        except BaseException:
            self.system.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.session.billing.close()
        if self._redis is not None:
            self._redis.close()
        self.system.__exit__()

    @property
    def url(self) -> str:
        """The gateway."""
        return self.system.gateway_url

    def key(self, subscription: str) -> str:
        """A subscription's API key."""
        return self.session.keys[subscription]

    def edit(self, documents: list[Document]) -> None:
        """Replace the manifests while the system runs."""
        write(self.manifests, documents)

    @property
    def redis(self) -> "redis.Redis":
        """A synchronous client of the system's Valkey."""
        if self._redis is None:
            self._redis = redis.Redis.from_url(self.system.redis_url)
        return self._redis

    def events(self, subscription: str | None = None) -> list[dict[str, Any]]:
        """What the ledger holds. Billing that is just being started again is waited for."""
        found: list[dict[str, Any]] = []

        def answered() -> bool:
            try:
                found[:] = self.session.events(subscription)
            except CommandError:
                return False
            return True

        assert wait_for(answered, 20), self.logs()
        return found

    def event(self, request: str, seconds: float = 15) -> dict[str, Any]:
        """One request's event, as soon as the ledger has it."""
        found: list[dict[str, Any]] = []

        def recorded() -> bool:
            found[:] = [event for event in self.events() if event["id"] == request]
            return bool(found)

        assert wait_for(recorded, seconds), f"no event for {request}; {self.logs()}"
        assert len(found) == 1
        return found[0]

    def wait_recorded(self, requests: Iterable[str], seconds: float = 20) -> None:
        """Until the ledger has all of them."""
        wanted = set(requests)
        missing: set[str] = set()

        def recorded() -> bool:
            missing.clear()
            missing.update(wanted - {event["id"] for event in self.events()})
            return not missing

        assert wait_for(recorded, seconds), f"{len(missing)} of {len(wanted)} events are missing; {self.logs()}"

    def journal(self) -> list[dict[str, Any]]:
        """The simulated upstream's own record of requests that came through the gateway."""
        return upstream_journal(self.system.sandbox_url)

    def journal_entry(self, request: str) -> dict[str, Any]:
        """Of one request."""
        return next(e for e in self.journal() if e["ids"]["x-billing-request-id"] == request)

    def clear_journal(self) -> None:
        """Forget earlier requests."""
        loopback.delete(f"{self.system.sandbox_url}/sandbox/journal").raise_for_status()

    def compare(self) -> dict[str, EndpointCount]:
        """The ledger against the upstream's count, once every request of the journal is recorded."""
        self.wait_recorded(entry["ids"]["x-billing-request-id"] for entry in self.journal())
        return compare(self.journal(), self.events())

    def assert_exact(self) -> None:
        """Every complete response is in the ledger once, with the upstream's own usage."""
        differences = [text for count in self.compare().values() for text in count.differences]
        assert not differences, differences

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Kill a process; it is started again by its watcher. One that is just being started is waited for."""

        def killed() -> bool:
            try:
                os.kill(self.system.processes.pid(name), number)
            except ProcessLookupError:
                return False
            return True

        assert wait_for(killed, 10)

    def holds(self) -> int:
        """Requests that hold quota now."""
        return sum(int(self.redis.zcard(Keys.holds(p))) for p in range(PARTITIONS))

    def logs(self) -> str:
        """The ends of all logs, for a failure's text."""
        files = sorted((self.system.state / "logs").glob("*.log"))
        return "\n".join(f"== {f.name}\n{f.read_text(errors='replace')[-1500:]}" for f in files)
