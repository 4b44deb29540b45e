"""Somebody who takes webhooks."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypeVar


@dataclass
class Receiver:
    """Keeps what came, in the order in which it came."""

    url: str = ""
    signed_by: str = "stripe-signature"
    """The header that carries the signature."""
    refuse: int = 0
    """How many of the next ones are answered with 500."""
    got: list[tuple[str, bytes]] = field(default_factory=list[tuple[str, bytes]])


Its = TypeVar("Its", bound=Receiver)


@contextmanager
def receiving(receiver: Its) -> Iterator[Its]:
    """The receiver given, with an address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            receiver.got.append((self.headers[receiver.signed_by], body))
            receiver.refuse -= 1
            self.send_response(500 if receiver.refuse >= 0 else 200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.url = f"http://127.0.0.1:{server.server_port}/hook"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
