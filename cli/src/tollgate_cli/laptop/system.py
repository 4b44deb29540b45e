"""Starting everything, in the order in which one needs the other."""

import contextlib
import json
import random
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from tollgate_cli.errors import CommandError
from tollgate_cli.laptop import loopback
from tollgate_cli.laptop.bootstrap import envoy_bootstrap
from tollgate_cli.laptop.locate import find_envoy, find_valkey
from tollgate_cli.laptop.options import UpOptions
from tollgate_cli.laptop.processes import Child, Processes
from tollgate_cli.laptop.simulators import Simulators
from tollgate_cli.laptop.state import StateDirectory

#: Manifests name the simulated upstreams by this host.
SANDBOX_HOST = "sandbox.localhost"
_NODE = "laptop"
_Wait = Callable[[], None]
CA_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")


def free_port(wanted: int = 0) -> int:
    """A port of the loopback interface that nobody uses now, below those that outgoing connections are given: between
    now and its use, no connection can take it. The wanted one, if it is free."""
    for attempt in range(100):
        port = wanted if wanted and not attempt else random.randint(18_000, 31_999)  # noqa: S311 (no secret)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    raise CommandError("No free port was found between 18000 and 31999.")


class System:
    """The running system. Use as a context manager: leaving it stops all processes."""

    def __init__(self, options: UpOptions, say: Callable[[str], None] = lambda _: None) -> None:
        self.options = options
        self.state = StateDirectory(options.state_dir)
        self.secrets = self.state.secrets()
        self.processes = Processes(self.state / "logs")
        self.simulators = Simulators(self.processes, self.state)
        self._say = say
        # Socket paths are limited to about 100 characters, which a state directory may exceed.
        self._sockets = tempfile.TemporaryDirectory(prefix="tollgate-")
        self.gateway_port = options.gateway_port or free_port()
        self.admin_port = free_port()
        self.billing_port = free_port()
        self.redis_url = ""
        self.api_url = ""
        self.sandbox_url = ""

    def __enter__(self) -> "System":
        return self

    def __exit__(self, *_: object) -> None:
        self.processes.stop()
        self._sockets.cleanup()

    @property
    def gateway_url(self) -> str:
        """Where clients send requests."""
        return f"http://{self.options.gateway_address}:{self.gateway_port}"

    def socket_path(self, name: str) -> str:
        """A Unix socket of ours."""
        return f"{self._sockets.name}/{name}.sock"

    def start(self) -> None:
        """Raises CommandError with the log of whatever does not come up."""
        self._check_port()
        for name, step in (
            ("simulated payment providers", self._start_simulators),
            ("Valkey", self._start_redis),
            ("simulated upstreams", self._start_sandbox),
            ("billing, control plane, gate, meter and witness", self._start_components),
            ("Envoy", self._start_envoy),
        ):
            self._say(f"starting {name}")
            step()
        self._say("waiting until Envoy serves the manifests")
        self._wait_until_programmed()

    def _check_port(self) -> None:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.options.gateway_address, self.gateway_port))
            except OSError as error:
                raise CommandError(
                    f"Port {self.gateway_port} is not free ({error.strerror}). Choose another with --gateway-port."
                ) from error

    def _start_simulators(self) -> None:
        if not self.options.real_payments:
            self.simulators.start(self.options.manifests, self.billing_port, free_port)

    def _start_redis(self) -> None:
        given = self.options.redis
        if given and "://" in given:
            self.redis_url = given
            return
        path, data = self.socket_path("valkey"), self.state / "valkey"
        data.mkdir(exist_ok=True)
        command = [str(find_valkey(given)), "--port", "0", "--unixsocket", path, "--dir", str(data), "--save", ""]
        command += ["--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "noeviction"]
        self.processes.start(Child("valkey", command))
        self.processes.wait_until("valkey", lambda: _answers_ping(path), 20)
        self.redis_url = f"unix://{path}"

    def _start_sandbox(self) -> None:
        ready = self.state / "sandbox.url"
        ready.unlink(missing_ok=True)
        command = [
            sys.executable,
            "-m",
            "tollgate_sandbox",
            "--host",
            "127.0.0.1",
            "--port",
            "0",
            "--ready-file",
            str(ready),
        ]
        self.processes.start(Child("sandbox", command))
        self.processes.wait_until("sandbox", ready.exists, 20)
        self.sandbox_url = ready.read_text().strip()
        # A restart must come back on the same port: Envoy knows it.
        port = self.sandbox_url.rpartition(":")[2]
        command[command.index("0")] = port

    def _environment(self) -> dict[str, str]:
        return {
            "TOLLGATE_REDIS_URL": self.redis_url,
            "TOLLGATE_KEY_PEPPER": self.secrets.key_pepper,
            "TOLLGATE_ACCESS_LOG": str(self.state / "access.log"),
            "TOLLGATE_NODE": _NODE,
            "TOLLGATE_ENVOY_ADMIN_URL": f"http://127.0.0.1:{self.admin_port}",
            "TOLLGATE_HOLD_SECONDS": str(self.options.hold_seconds),
            "TOLLGATE_JOIN_GRACE_SECONDS": str(self.options.join_grace_seconds),
        }

    def _start_components(self) -> None:
        """Side by side: each takes a second or two to load, and none needs another one to start."""
        waiting = [self._start_billing(), self._start_operator(), *self._start_extproc()]
        self._start_witness()
        for wait in waiting:
            wait()
        self.api_url = (self.state / "billing.url").read_text().strip()

    def _start_billing(self) -> _Wait:
        ready = self.state / "billing.url"
        ready.unlink(missing_ok=True)
        self.simulators.wait()
        simulators = {} if self.options.real_payments else {"TOLLGATE_PAYMENT_SIMULATORS": self.simulators.addresses()}
        environment = {
            **self._environment(),
            "TOLLGATE_DATABASE_URL": self.options.database_url or f"sqlite:///{self.state / 'ledger.db'}",
            "TOLLGATE_ADMIN_TOKEN": self.secrets.admin_token,
            "TOLLGATE_BILLING_LISTEN": f"127.0.0.1:{self.billing_port}",
            "TOLLGATE_BILLING_READY_FILE": str(ready),
            "TOLLGATE_CONSUMER": "billing-1",
            "TOLLGATE_CLOSE_DELAY_SECONDS": "2",
            "TOLLGATE_PAYMENT_KEYS_DIR": str(self.state / "payment-keys"),
            **simulators,
        }
        self.processes.start(Child("billing", [sys.executable, "-m", "tollgate_billing"], environment))
        return lambda: self.processes.wait_until("billing", ready.exists, 60)

    def _start_operator(self) -> _Wait:
        status = self.state / "status.json"
        status.unlink(missing_ok=True)
        workers = range(self.options.workers)
        environment = {
            **self._environment(),
            "TOLLGATE_MANIFESTS": str(self.options.manifests),
            "TOLLGATE_ADS_ADDRESS": f"unix:{self.socket_path('ads')}",
            "TOLLGATE_STATUS_FILE": str(status),
            "TOLLGATE_PAYMENT_KEYS_DIR": str(self.state / "payment-keys"),
            "TOLLGATE_GATEWAY_ADDRESS": self.options.gateway_address,
            "TOLLGATE_GATEWAY_PORT": str(self.gateway_port),
            "TOLLGATE_GATES": ",".join(f"unix:{self.socket_path(f'gate{i}')}" for i in workers),
            "TOLLGATE_METERS": ",".join(f"unix:{self.socket_path(f'meter{i}')}" for i in workers),
            "TOLLGATE_HOST_ALIASES": f"{SANDBOX_HOST}={self.sandbox_url.rpartition('/')[2]}",
            "TOLLGATE_CA_BUNDLE": next((path for path in CA_BUNDLES if Path(path).exists()), CA_BUNDLES[0]),
        }
        self.processes.start(Child("operator", [sys.executable, "-m", "tollgate_operator"], environment))
        return lambda: self.processes.wait_until("operator", lambda: bool(self.status()), 60)

    def _start_extproc(self) -> Iterator[_Wait]:
        for i in range(self.options.workers):
            name, meter = f"extproc{i}", self.socket_path(f"meter{i}")
            environment = {
                **self._environment(),
                "TOLLGATE_EXTPROC_LISTEN": f"unix:{self.socket_path(f'gate{i}')}",
                "TOLLGATE_METER_LISTEN": f"unix:{meter}",
                "TOLLGATE_STATE_DIR": str(self.state / name),
            }
            self.processes.start(Child(name, [sys.executable, "-m", "tollgate_extproc"], environment))
            yield partial(self.processes.wait_until, name, Path(meter).exists, 60)

    def _start_witness(self) -> None:
        environment = {**self._environment(), "TOLLGATE_STATE_DIR": str(self.state / "witness")}
        self.processes.start(Child("witness", [sys.executable, "-m", "tollgate_extproc.witness"], environment))

    def _start_envoy(self) -> None:
        config = self.state / "envoy.json"
        config.write_text(json.dumps(envoy_bootstrap(self.socket_path("ads"), self.admin_port, _NODE), indent=2))
        command = [str(find_envoy(self.options.envoy)), "-c", str(config), "--file-flush-interval-msec", "200"]
        command += ["--log-level", "warning", "--use-dynamic-base-id", "--concurrency", "1", "--drain-time-s", "1"]
        self.processes.start(Child("envoy", command))
        self.processes.wait_until("envoy", self._envoy_says_ready, 30)

    def _envoy_says_ready(self) -> bool:
        with contextlib.suppress(httpx.HTTPError):
            return loopback.get(f"http://127.0.0.1:{self.admin_port}/ready", timeout=2).status_code == 200
        return False

    def status(self) -> dict[str, Any]:
        """The operator's word on every resource; empty before its first."""
        with contextlib.suppress(OSError, ValueError):
            status: dict[str, Any] = json.loads((self.state / "status.json").read_text())
            return status
        return {}

    def _wait_until_programmed(self) -> None:
        self.processes.wait_until("operator", lambda: bool(self.status().get("programmed")), 30)


def _answers_ping(path: str) -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1)
        client.connect(path)
        client.sendall(b"PING\r\n")
        return client.recv(7).startswith(b"+PONG")
    return False


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    """Poll; whether it became true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
