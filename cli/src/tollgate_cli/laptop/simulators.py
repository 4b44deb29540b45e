"""Simulated payment providers, one for each PaymentProvider of the manifests that names no address of its own.

The real ones are never spoken to, unless that was asked for: what is tried out may be a copy of what sells.
"""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tollgate_cli.errors import CommandError
from tollgate_cli.laptop.processes import Child, Processes
from tollgate_cli.laptop.state import StateDirectory
from tollgate_core.manifests import PaymentProvider
from tollgate_core.payment_keys import PaymentKeys, keys_file, mode_of
from tollgate_operator.reconcile.index import Index
from tollgate_operator.reconcile.payment_keys import key_files
from tollgate_operator.sources import FileSource

_FOLDER = "payment-simulators"
_SECRET = "TOLLGATE_SANDBOX_WEBHOOK_SECRET"  # noqa: S105 (the variable's name)
#: A port that nobody uses: the one that is given, if that is so of it.
FreePort = Callable[[int], int]
TITLES = {"stripe": "Stripe", "paddle": "Paddle"}


@dataclass(frozen=True)
class Simulated:
    """One PaymentProvider and the address of the simulator that stands for it."""

    name: str
    kind: str
    url: str
    key: str = field(repr=False)

    @property
    def dashboard(self) -> str:
        """What its owner looks at."""
        return f"{self.url}/dashboard"


def needed(manifests: Path) -> Iterator[tuple[PaymentProvider, PaymentKeys]]:
    """Whose keys are there. Raises CommandError for a live key: no simulator needs one, and it is not ours to hold."""
    index = Index(FileSource(manifests).load().resources)
    files = key_files(index).files
    for provider in index.of_kind(PaymentProvider):
        spec = provider.spec.stripe or provider.spec.paddle
        content = files.get(keys_file(provider.qualified_name))
        if spec is None or spec.api_url or content is None:
            continue
        found = json.loads(content)
        keys = PaymentKeys(found["secretKey"], tuple(found["webhookSecrets"]))
        if mode_of(keys.secret_key) == "live":
            raise CommandError(
                f"PaymentProvider {provider.qualified_name} has a live key, and this would use a simulator. Put a test "
                "key there, or use the real service with --real-payments: customers are charged then."
            )
        yield provider, keys


class Simulators:
    """Of one run. What they know is kept in the state folder, and so is where they listen."""

    def __init__(self, processes: Processes, state: StateDirectory) -> None:
        self._processes = processes
        self._state = state
        self.running: tuple[Simulated, ...] = ()

    def start(self, manifests: Path, billing_port: int, free: FreePort) -> None:
        """All at once, for each takes a second or two to begin."""
        folder = self._state / _FOLDER
        folder.mkdir(mode=0o700, exist_ok=True)
        found = list(needed(manifests))
        ports = [self._port(provider.qualified_name, free) for provider, _ in found]
        for (provider, keys), port in zip(found, ports, strict=True):
            self._start(provider, keys, port, billing_port)
        self.running = tuple(
            Simulated(provider.qualified_name, provider.spec.kind, f"http://127.0.0.1:{port}", keys.secret_key)
            for (provider, keys), port in zip(found, ports, strict=True)
        )

    def wait(self) -> None:
        """Until all answer."""
        for one in self.running:
            self._processes.wait_until(_child(one.name), self._ready(one.name).exists, 40)

    def addresses(self) -> str:
        """As billing's settings take them."""
        return ",".join(f"{one.name}={one.url}" for one in self.running)

    def _start(self, provider: PaymentProvider, keys: PaymentKeys, port: int, billing_port: int) -> None:
        name = provider.qualified_name
        ready = self._ready(name)
        ready.unlink(missing_ok=True)
        state = self._state / _FOLDER / keys_file(name)
        webhook = f"http://127.0.0.1:{billing_port}/v1/webhooks/{name}"
        command = [sys.executable, "-m", "tollgate_sandbox", provider.spec.kind, "--port", str(port)]
        command += ["--ready-file", str(ready), "--state", str(state), "--webhook-url", webhook]
        if provider.spec.stripe and provider.spec.stripe.account_id:
            command += ["--account", provider.spec.stripe.account_id]
        self._processes.start(Child(_child(name), command, {_SECRET: keys.webhook_secrets[0]}))

    def _ready(self, name: str) -> Path:
        return self._state / _FOLDER / f"{keys_file(name)}.url"

    def _port(self, name: str, free: FreePort) -> int:
        """The one of the last run where that is free: links to pages are kept in the ledger."""
        file = self._state / _FOLDER / f"{keys_file(name)}.port"
        earlier = int(file.read_text()) if file.exists() else 0
        port = free(earlier)
        file.write_text(str(port))
        return port


def _child(name: str) -> str:
    """Of a process and its log; a name may hold a slash."""
    return f"payments-{name.replace('/', '.')}"
