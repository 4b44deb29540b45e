"""Envoy's admin interface, as a client: ``http://host:port``, or ``unix:/path``.

In a pod it is a socket in the file system: whoever may make an API may name any address as its upstream, and Envoy's
own loopback would be one.
"""

import http.client
import socket
from urllib.parse import urlsplit

_SECONDS = 5


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_SECONDS)
        self.sock.connect(self._path)


def ask_envoy(url: str, path: str, method: str) -> str:
    """The answer's text. Raises OSError or HTTPException where there is none, or one of an error."""
    if url.startswith("unix:"):
        connection: http.client.HTTPConnection = _UnixConnection(url.removeprefix("unix:"))
    else:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=_SECONDS)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        text = answer.read().decode()
    finally:
        connection.close()
    if answer.status >= 400:
        raise OSError(f"Envoy answered {answer.status} to {method} {path}")
    return text
