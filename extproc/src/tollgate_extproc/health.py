"""The small HTTP server that tells a cluster how the process is: /healthz, /readyz, /metrics, and what is added.

It runs in threads of its own, so that it answers also while a handler waits, as for a drain.
"""

import socket
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from tollgate_extproc.metrics import Metrics

#: (status, text)
Answer = tuple[int, str]
Route = Callable[[], Answer]


class HealthServer:
    """On ``host:port``; empty: none. ``problems`` names what is missing before requests can be served."""

    def __init__(
        self, listen: str, metrics: Metrics, problems: Callable[[], list[str]], more: Mapping[str, Route] | None = None
    ) -> None:
        def ready() -> Answer:
            missing = problems()
            return 503 if missing else 200, "\n".join(missing or ["ok"]) + "\n"

        routes: dict[str, Route] = {
            "/healthz": lambda: (200, "ok\n"),
            "/readyz": ready,
            "/metrics": lambda: (200, metrics.text()),
            **(more or {}),
        }
        self._server: ThreadingHTTPServer | None = None
        if listen:
            host, _, port = listen.rpartition(":")
            server = _ServerOnIPv6 if ":" in host else ThreadingHTTPServer
            self._server = server((host.strip("[]"), int(port)), _handler(routes))
            self._server.daemon_threads = True
            Thread(target=self._server.serve_forever, name="health", daemon=True).start()

    def stop(self) -> None:
        """Answer no more."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()


class _ServerOnIPv6(ThreadingHTTPServer):
    address_family = socket.AF_INET6


def _handler(routes: Mapping[str, Route]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            route = routes.get(self.path.partition("?")[0])
            status, text = route() if route else (404, "not found\n")
            body = text.encode()
            self.send_response(status)
            self.send_header("content-type", "text/plain; charset=utf-8")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Probes are no news."""

    return Handler
