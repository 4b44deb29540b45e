"""One drain for each pod: begun over a Unix socket, awaited also over HTTP.

Envoy's container has nothing to run as a hook, so its own is a request that waits (``/drained``): whoever else sends it
changes nothing. Beginning is for those who see the socket's folder.
"""

import contextlib
import os
import socketserver
from collections.abc import Callable
from pathlib import Path
from threading import Event, Lock, Thread

from tollgate_extproc.health import Answer

#: Both hooks start at the same moment; beginning takes the start of a program.
_BEGIN_SECONDS = 15.0


class Draining:
    """``drain`` blocks until it is over, and runs once."""

    def __init__(self, drain: Callable[[], str], begin_seconds: float = _BEGIN_SECONDS) -> None:
        self._drain = drain
        self._begin_seconds = begin_seconds
        self._lock = Lock()
        self._begun = Event()
        self._result: str | None = None

    def run(self) -> str:
        """Drain, or wait for the drain that was begun; then what happened."""
        self._begun.set()
        with self._lock:
            if self._result is None:
                self._result = self._drain()
            return self._result

    def wait(self) -> Answer:
        """What happened, once it is over. Begins nothing."""
        if not self._begun.wait(self._begin_seconds):
            return 503, "nobody asked for a drain\n"
        return 200, self.run()


class DrainSocket:
    """Lets those who can open ``path`` drain; empty: nobody."""

    def __init__(self, path: str, draining: Draining) -> None:
        self._server: socketserver.ThreadingUnixStreamServer | None = None
        if path:
            with contextlib.suppress(FileNotFoundError):
                Path(path).unlink()  # of a container before this one
            self._server = socketserver.ThreadingUnixStreamServer(path, _handler(draining))
            self._server.daemon_threads = True
            os.chmod(path, 0o600)
            Thread(target=self._server.serve_forever, name="drain", daemon=True).start()

    def stop(self) -> None:
        """Listen no more."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()


def _handler(draining: Draining) -> type[socketserver.StreamRequestHandler]:
    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            text = draining.run()
            with contextlib.suppress(OSError):  # the hook was ended before
                self.wfile.write(text.encode())

    return Handler
