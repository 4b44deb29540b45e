"""A file of settlements that Redis did not take, one JSON line each, in order. It survives the process."""

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec
import structlog

from tollgate_core.redis_contract import SettleRequest

_log = structlog.get_logger("spool")
_DECODER = msgspec.json.Decoder(SettleRequest)


class Spool:
    """Append-only until everything in it is confirmed; then it is emptied."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._size = path.stat().st_size if path.exists() else 0

    def load(self) -> list[SettleRequest]:
        """What an earlier process left. A line cut by a crash is skipped: its writer had not said it is safe."""
        if not self._path.exists():
            return []
        requests: list[SettleRequest] = []
        for line in self._path.read_bytes().splitlines():
            try:
                requests.append(_DECODER.decode(line))
            except msgspec.DecodeError:
                _log.warning("a cut line in the spool was skipped", bytes=len(line))
        return requests

    def append(self, requests: Iterable[SettleRequest]) -> None:
        """Write and sync."""
        data = b"".join(msgspec.json.encode(request) + b"\n" for request in requests)
        if not data:
            return
        with self._path.open("ab") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        self._size += len(data)

    def clear(self) -> None:
        """Everything in it is confirmed."""
        if self._size:
            with self._path.open("wb") as file:
                os.fsync(file.fileno())
            self._size = 0
