"""Tailing a log file through rotation, with a checkpoint that only moves past what the ledger has confirmed."""

import json
import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_READ = 1 << 20


@dataclass
class _Mark:
    """A line's end, and the event that must be confirmed before the checkpoint may pass it."""

    inode: int
    end: int
    request: str | None
    confirmed: bool


class Checkpoint:
    """Which lines are done. Lines are confirmed in any order; the checkpoint is before the first that is not."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._marks: deque[_Mark] = deque()
        self._by_request: dict[str, _Mark] = {}
        self.inode, self.offset = self._load()
        self._saved = (self.inode, self.offset)

    def _load(self) -> tuple[int, int]:
        try:
            saved = json.loads(self._path.read_text())
            return int(saved["inode"]), int(saved["offset"])
        except (OSError, ValueError, KeyError):
            return 0, 0

    def add(self, inode: int, end: int, request: str | None) -> None:
        """A line was read; None where it needs no confirmation."""
        mark = _Mark(inode, end, request, request is None or request in self._by_request)
        self._marks.append(mark)
        if request is not None and not mark.confirmed:
            self._by_request[request] = mark

    def begin(self, inode: int) -> None:
        """Reading began in this file; without this, a restart before the first confirmation would not know it."""
        if not self.inode and inode:
            self.inode = inode

    def confirm(self, request: str) -> None:
        """The ledger has the event."""
        mark = self._by_request.pop(request, None)
        if mark is not None:
            mark.confirmed = True

    @property
    def waiting(self) -> int:
        """Lines that are not confirmed yet."""
        return len(self._by_request)

    def save(self) -> None:
        """Move past all that is confirmed, and write it down."""
        while self._marks and self._marks[0].confirmed:
            mark = self._marks.popleft()
            self.inode, self.offset = mark.inode, mark.end
        if (self.inode, self.offset) == self._saved:
            return
        temporary = self._path.with_suffix(".tmp")
        temporary.write_text(json.dumps({"inode": self.inode, "offset": self.offset}))
        os.replace(temporary, self._path)
        self._saved = (self.inode, self.offset)


class Tail:
    """Reads complete lines; follows the file when another one takes its name."""

    def __init__(self, path: Path, inode: int, offset: int) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._rest = b""
        self._inode = 0
        self._end = 0
        self._quiet_reads = 0
        self._resume = (inode, offset)

    @property
    def inode(self) -> int:
        """Of the file that is being read."""
        return self._inode

    def read(self) -> Iterator[tuple[int, bytes]]:
        """(offset after the line, line) of everything complete that is there now."""
        if self._file is None and not self._open():
            return
        assert self._file is not None  # noqa: S101
        while data := self._file.read(_READ):
            self._quiet_reads = 0
            lines = (self._rest + data).split(b"\n")
            self._rest = lines.pop()
            for line in lines:
                self._end += len(line) + 1
                yield self._end, line
        self._quiet_reads += 1
        if self._quiet_reads > 3 and self._was_replaced():
            self.close()

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> bool:
        rotated = self._path.with_name(self._path.name + ".1")
        resume_inode, offset = self._resume
        for path in (rotated, self._path):
            try:
                file = path.open("rb")
            except FileNotFoundError:
                continue
            inode, size = os.fstat(file.fileno()).st_ino, os.fstat(file.fileno()).st_size
            if path == rotated and inode != resume_inode:
                file.close()
                continue
            # A number of a deleted file is given out again: one that is shorter than our offset is another file.
            start = offset if inode == resume_inode and offset <= size else 0
            self._resume = (0, 0)  # for the first file alone
            file.seek(start)
            self._file, self._inode, self._end, self._rest, self._quiet_reads = file, inode, start, b"", 0
            return True
        return False

    def _was_replaced(self) -> bool:
        try:
            return self._path.stat().st_ino != self._inode
        except FileNotFoundError:
            return False
