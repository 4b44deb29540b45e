"""How a pod ends: its Envoy is drained, its probes answer, its processes finish what they began."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tollgate_cli.laptop.system import free_port
from tollgate_extproc.health import HealthServer
from tollgate_extproc.lifecycle import run_until_stopped
from tollgate_extproc.metrics import Metrics
from tollgate_extproc.witness.drain import Drain
from tollgate_extproc.witness.draining import Draining, DrainSocket

STAT = "http.gateway.downstream_rq_active"


@dataclass
class Admin:
    """Speaks as Envoy's admin port does, on a real socket. ``active`` are its answers, the last one for ever; None is
    an answer of 503."""

    active: list[int | None]
    asked: list[str] = field(default_factory=list[str])
    url: str = ""

    def answer(self, method: str, path: str) -> tuple[int, str]:
        self.asked.append(f"{method} {path}")
        if not path.startswith("/stats"):
            return 200, "OK\n"
        count = self.active.pop(0) if len(self.active) > 1 else self.active[0]
        return (503, "overloaded\n") if count is None else (200, f"{STAT}: {count}\n")


@pytest.fixture
def serve() -> Iterator[Callable[..., Admin]]:
    servers: list[HTTPServer] = []

    def start(*active: int | None) -> Admin:
        admin = Admin(list(active))

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, text = admin.answer(self.command, self.path)
                self.send_response(status)
                self.end_headers()
                self.wfile.write(text.encode())

            def do_POST(self) -> None:
                self.do_GET()

            def log_message(self, format: str, *args: object) -> None:
                """Nothing."""

        server = HTTPServer(("127.0.0.1", 0), Handler)
        admin.url = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return admin

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@dataclass
class Time:
    """Passes only while somebody sleeps."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def drain(url: str, seconds: float = 60) -> tuple[str, float]:
    """(what happened, how long it took)"""
    time = Time()
    return Drain(url, seconds, time, time.sleep).run(), time.now - 1000


def test_a_drain_takes_no_new_connections_and_waits_for_the_last_request(serve: Callable[..., Admin]) -> None:
    admin = serve(*[3] * 30, 1, 0)
    text, seconds = drain(admin.url)
    assert (text, seconds) == ("drained\n", 15.5)
    assert admin.asked[:2] == ["POST /healthcheck/fail", "POST /drain_listeners?graceful&skip_exit"]
    assert len([asked for asked in admin.asked if asked.startswith("POST")]) == 2


def test_an_idle_one_still_waits_until_the_cluster_sends_nothing_more(serve: Callable[..., Admin]) -> None:
    assert drain(serve(0).url) == ("drained\n", 5.0)


def test_a_drain_ends_in_time_and_says_what_it_cut_off(serve: Callable[..., Admin]) -> None:
    assert drain(serve(2).url, 30) == ("2 requests are still active after 30 s\n", 30.0)


def test_a_short_drain_without_requests_is_a_whole_one(serve: Callable[..., Admin]) -> None:
    assert drain(serve(0).url, 2) == ("drained\n", 2.0)


def test_an_envoy_that_is_gone_keeps_nobody_waiting(tmp_path: Path) -> None:
    assert drain(f"unix:{tmp_path}/admin.sock") == ("Envoy is gone\n", 0.0)
    assert drain(f"http://127.0.0.1:{free_port()}") == ("Envoy is gone\n", 0.0)


def test_one_answer_that_fails_ends_no_drain(serve: Callable[..., Admin]) -> None:
    """A busy admin port is no reason to cut streams off."""
    assert drain(serve(1, None, *[1] * 18, None, 0).url) == ("drained\n", 10.5)
    assert drain(serve(None).url, 20) == ("1 requests are still active after 20 s\n", 20.0)


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_probes_are_answered(host: str) -> None:
    if host == "[::1]" and not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    missing = ["no catalog yet"]
    port = free_port()
    server = HealthServer(f"{host}:{port}", Metrics(), lambda: missing, {"/drained": lambda: (200, "drained\n")})
    url = f"http://{host}:{port}"
    try:
        assert get(f"{url}/healthz") == (200, "ok\n")
        assert get(f"{url}/readyz") == (503, "no catalog yet\n")
        missing.clear()
        assert get(f"{url}/readyz?verbose") == (200, "ok\n")
        assert get(f"{url}/drained") == (200, "drained\n")
        assert get(f"{url}/nothing")[0] == 404
        assert "tollgate" in get(f"{url}/metrics")[1]
    finally:
        server.stop()


@dataclass
class Pod:
    """The drain of a pod, with its socket and its port; ``begun`` says whether it began, ``end`` ends it."""

    socket: str
    url: str
    begun: threading.Event = field(default_factory=threading.Event)
    end: threading.Event = field(default_factory=threading.Event)
    runs: int = 0

    def drain(self) -> str:
        self.runs += 1
        self.begun.set()
        assert self.end.wait(20)
        return "drained\n"


@pytest.fixture
def pod(tmp_path: Path) -> Iterator[Pod]:
    port = free_port()
    made = Pod(str(tmp_path / "drain.sock"), f"http://127.0.0.1:{port}")
    Path(made.socket).touch()  # of a container before this one
    draining = Draining(made.drain, begin_seconds=0.2)
    hooks = DrainSocket(made.socket, draining)
    health = HealthServer(f"127.0.0.1:{port}", Metrics(), list, {"/drained": draining.wait})
    yield made
    made.end.set()
    hooks.stop()
    health.stop()


def test_a_hook_drains_over_the_socket_and_another_waits_over_http(pod: Pod) -> None:
    hook = subprocess.Popen(
        [sys.executable, "-m", "tollgate_extproc.witness", "drain"],
        env={**os.environ, "TOLLGATE_DRAIN_SOCKET": pod.socket},
        stdout=subprocess.PIPE,
        text=True,
    )
    answers: list[tuple[int, str]] = []
    assert pod.begun.wait(20)
    waiter = threading.Thread(target=lambda: answers.append(get(f"{pod.url}/drained")))
    waiter.start()
    assert get(f"{pod.url}/readyz") == (200, "ok\n"), "probes are answered meanwhile"
    assert hook.poll() is None
    pod.end.set()
    waiter.join(20)
    assert hook.communicate(timeout=20)[0] == "drained\n"
    assert (hook.returncode, answers, pod.runs) == (0, [(200, "drained\n")], 1)


def test_nothing_on_the_port_drains(pod: Pod) -> None:
    assert get(f"{pod.url}/drain")[0] == 404
    assert get(f"{pod.url}/drained") == (503, "nobody asked for a drain\n")
    assert pod.runs == 0
    assert Path(pod.socket).stat().st_mode & 0o077 == 0


def test_a_hook_without_a_witness_fails_and_says_so(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tollgate_extproc.witness", "drain"]
    for variables, code in (({"TOLLGATE_DRAIN_SOCKET": f"{tmp_path}/none"}, 1), ({}, 2)):
        done = subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (code, "")
        assert "TOLLGATE_DRAIN_SOCKET" in done.stderr or f"{tmp_path}/none" in done.stderr


def test_asking_for_a_drain_starts_without_the_libraries_of_the_witness() -> None:
    script = "import sys, tollgate_extproc.witness.command as _; print([m for m in sys.modules if m in HEAVY])"
    heavy = ("redis", "uvloop", "grpc", "structlog", "msgspec", "asyncio")
    command = [sys.executable, "-c", script.replace("HEAVY", repr(heavy))]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "[]\n"


def test_without_an_address_there_are_no_probes() -> None:
    HealthServer("", Metrics(), list).stop()


async def for_ever(seen: list[str], name: str) -> None:
    seen.append(f"{name} began")
    try:
        await asyncio.Event().wait()
    finally:
        seen.append(f"{name} ended")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_told_to_stop_it_finishes_while_the_others_still_run(number: int) -> None:
    seen: list[str] = []

    async def finish() -> None:
        await asyncio.sleep(0)
        seen.append("finished")

    async def stop() -> None:
        os.kill(os.getpid(), number)
        await asyncio.Event().wait()

    await run_until_stopped(for_ever(seen, "a"), stop(), finish=finish)
    assert seen == ["a began", "finished", "a ended"]


async def test_a_failure_ends_all_without_finishing() -> None:
    seen: list[str] = []

    async def fail() -> None:
        raise OSError("broken")

    async def finish() -> None:
        seen.append("finished")

    with pytest.raises(OSError, match="broken"):
        await run_until_stopped(for_ever(seen, "a"), fail(), finish=finish)
    assert seen == ["a began", "a ended"]


async def test_what_fails_while_the_last_work_is_done_is_not_lost() -> None:
    seen: list[str] = []
    ending = asyncio.Event()

    async def fail_at_the_end() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        await ending.wait()
        raise OSError("broken")

    async def finish() -> None:
        ending.set()
        await asyncio.sleep(0.01)

    with pytest.raises(OSError, match="broken"):
        await run_until_stopped(for_ever(seen, "a"), fail_at_the_end(), finish=finish)
    assert seen == ["a began", "a ended"]


async def test_where_finishing_fails_nothing_runs_on() -> None:
    seen: list[str] = []

    async def stop() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.Event().wait()

    async def finish() -> None:
        raise OSError("broken")

    with pytest.raises(OSError, match="broken"):
        await run_until_stopped(for_ever(seen, "a"), stop(), finish=finish)
    assert seen == ["a began", "a ended"]
