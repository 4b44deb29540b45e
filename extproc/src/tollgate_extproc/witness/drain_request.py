"""Asking the witness to drain its Envoy: what ``tollgate-witness drain`` does, as the witness's preStop hook.

Over a socket in the file system: on a port, also of loopback, an API with that address as its upstream could ask.
Imports next to nothing, since it runs while the pod is ending.
"""

import os
import socket
import sys

VARIABLE = "TOLLGATE_DRAIN_SOCKET"


def ask_to_drain(path: str) -> str:
    """Blocks until the drain is over; then what happened. Raises OSError where no witness answers."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(path)
        received = b""
        while part := connection.recv(4096):
            received += part
    if not received:
        raise ConnectionResetError("the witness ended without an answer")
    return received.decode()


def main() -> int:
    """Exit code 1 where the witness does not answer, 2 where the setting is missing."""
    path = os.environ.get(VARIABLE)
    if not path:
        sys.stderr.write(f"setting missing or not usable: {VARIABLE}\n")
        return 2
    try:
        sys.stdout.write(ask_to_drain(path))
    except OSError as error:
        sys.stderr.write(f"the witness does not answer on {path}: {error}\n")
        return 1
    return 0
