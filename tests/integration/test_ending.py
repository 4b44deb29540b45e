"""The end of a gateway's pod, with a real Envoy and a real Valkey."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.billing.neighbours import Valkey, wait_until
from tests.unit.billing.builders import make_catalog
from tollgate_cli.laptop import loopback
from tollgate_cli.laptop.locate import find_envoy
from tollgate_cli.laptop.system import free_port
from tollgate_core.admission import Admission
from tollgate_core.catalog import content_hash
from tollgate_core.redis_contract import PARTITIONS, Keys
from tollgate_extproc.witness.drain import Drain


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    started = Valkey(tmp_path)
    yield started
    started.stop()


class Upstream:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.asked, self.answer = threading.Event(), threading.Event()
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                upstream.asked.set()
                upstream.answer.wait(30)
                self.send_response(200)
                self.send_header("content-length", "4")
                self.end_headers()
                self.wfile.write(b"done")

            def log_message(self, format: str, *args: object) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port: int = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def envoy_configuration(admin: int, listen: int, upstream: int) -> dict[str, Any]:
    """One listener whose statistics are called as the gateway's are."""
    types = "type.googleapis.com/envoy.extensions.filters"
    manager = {
        "@type": f"{types}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "gateway",
        "route_config": {
            "virtual_hosts": [
                {"name": "x", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "up"}}]}
            ]
        },
        "http_filters": [
            {"name": "router", "typed_config": {"@type": f"{types}.http.router.v3.Router"}},
        ],
    }
    endpoint = {"endpoint": {"address": address(upstream)}}
    return {
        "admin": {"address": address(admin)},
        "static_resources": {
            "listeners": [
                {
                    "name": "tollgate",
                    "address": address(listen),
                    "filter_chains": [{"filters": [{"name": "hcm", "typed_config": manager}]}],
                }
            ],
            "clusters": [
                {
                    "name": "up",
                    "type": "STATIC",
                    "load_assignment": {"cluster_name": "up", "endpoints": [{"lb_endpoints": [endpoint]}]},
                }
            ],
        },
    }


@pytest.fixture
def envoy(tmp_path: Path) -> Iterator[tuple[str, str, Upstream]]:
    """(admin URL, gateway URL, its upstream)"""
    upstream, admin, listen = Upstream(), free_port(), free_port()
    config = tmp_path / "envoy.json"
    config.write_text(json.dumps(envoy_configuration(admin, listen, upstream.port)))
    command = [str(find_envoy(None)), "-c", str(config), "--use-dynamic-base-id", "-l", "error", "--concurrency", "1"]
    process = subprocess.Popen(command)

    def ready() -> bool:
        try:
            return loopback.get(f"http://127.0.0.1:{admin}/ready").status_code == 200
        except httpx.TransportError:
            return False

    try:
        wait_until(ready)
        yield f"http://127.0.0.1:{admin}", f"http://127.0.0.1:{listen}", upstream
    finally:
        upstream.answer.set()
        process.kill()
        process.wait(10)
        upstream.server.shutdown()
        upstream.server.server_close()


def test_a_drain_lets_a_request_finish_and_takes_no_other(envoy: tuple[str, str, Upstream]) -> None:
    admin, gateway, upstream = envoy
    answers: list[httpx.Response] = []
    client = threading.Thread(target=lambda: answers.append(loopback.get(gateway, timeout=60)))
    client.start()
    assert upstream.asked.wait(20)
    results: list[str] = []
    drainer = threading.Thread(target=lambda: results.append(Drain(admin, 60).run()))
    drainer.start()
    wait_until(lambda: loopback.get(f"{admin}/ready").status_code == 503 or not drainer.is_alive())
    assert not results
    upstream.answer.set()
    client.join(20)
    drainer.join(30)
    assert answers[0].text == "done"
    assert answers[0].headers["connection"] == "close"
    assert results == ["drained\n"]


def test_a_drain_that_is_too_long_says_how_many_are_cut(envoy: tuple[str, str, Upstream]) -> None:
    admin, gateway, upstream = envoy
    client = threading.Thread(target=lambda: loopback.get(gateway, timeout=60))
    client.start()
    assert upstream.asked.wait(20)
    assert Drain(admin, 1).run() == "1 requests are still active after 1 s\n"
    upstream.answer.set()
    client.join(20)


def line(request: str, catalog: str) -> bytes:
    """As Envoy writes it: a request that was admitted and answered."""
    admission = Admission(request, 1, 3, "team/acme", "acme", "pro", "1", catalog, "openai/chat", "gpt", False, 10)
    fields = {"admission": admission.encode(), "start": "4010428800000", "duration": 40, "code": 200, "flags": "-"}
    return json.dumps({**fields, "host": "192.0.2.7:443"}).encode() + b"\n"


def recorded(valkey: Valkey) -> set[str]:
    """Ids of the events in the streams."""
    entries = [entry for p in range(PARTITIONS) for entry in valkey.client.xrange(Keys.events(p))]
    return {json.loads(fields[b"event"])["id"] for _, fields in entries}


def test_the_witness_reads_what_envoy_wrote_at_its_end(valkey: Valkey, tmp_path: Path) -> None:
    catalog = make_catalog()
    hashed = content_hash(catalog.encode())
    valkey.publish(catalog)
    valkey.client.set(Keys.catalog(hashed), catalog.encode())
    log, port = tmp_path / "access.log", free_port()
    log.write_bytes(line("before", hashed))
    environment = {
        **os.environ,
        "TOLLGATE_REDIS_URL": valkey.url,
        "TOLLGATE_KEY_PEPPER": "a pepper",
        "TOLLGATE_STATE_DIR": str(tmp_path / "state"),
        "TOLLGATE_ACCESS_LOG": str(log),
        "TOLLGATE_HEALTH_LISTEN": f"127.0.0.1:{port}",
    }
    process = subprocess.Popen([sys.executable, "-m", "tollgate_extproc.witness"], env=environment)
    try:
        wait_until(lambda: recorded(valkey) == {"before"})
        assert loopback.get(f"http://127.0.0.1:{port}/readyz").status_code == 200
        # Told to end while Envoy still writes: it stands still here, so that the order is sure.
        process.send_signal(signal.SIGSTOP)
        process.send_signal(signal.SIGTERM)
        with log.open("ab") as file:
            file.writelines(line(f"late-{number}", hashed) for number in range(200))
        process.send_signal(signal.SIGCONT)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait(10)
    assert recorded(valkey) == {"before", *(f"late-{number}" for number in range(200))}
