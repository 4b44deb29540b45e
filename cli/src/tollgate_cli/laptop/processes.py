"""Child processes: started, watched, restarted when they die, stopped with everything they started."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tollgate_cli.errors import CommandError


@dataclass
class Child:
    """One process. ``environment`` is added to a minimal one: no variable of the user's shell leaks in."""

    name: str
    command: list[str]
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    process: "subprocess.Popen[bytes] | None" = None
    restarts: int = 0


_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR")


class Processes:
    """The children, in the order in which they were started; they stop in the opposite order."""

    def __init__(self, log_dir: Path) -> None:
        self._log_dir = log_dir
        self._children: dict[str, Child] = {}
        self._stopping = threading.Event()
        self._watcher: threading.Thread | None = None
        self._lock = threading.Lock()
        log_dir.mkdir(parents=True, exist_ok=True)

    def start(self, child: Child) -> None:
        """Start a child in a session of its own, so that Ctrl-C reaches only us."""
        with self._lock:
            self._children[child.name] = child
            self._spawn(child)
        if self._watcher is None:
            self._watcher = threading.Thread(target=self._watch, name="watch-children", daemon=True)
            self._watcher.start()

    def _spawn(self, child: Child) -> None:
        environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        with self.log_file(child.name).open("ab") as log:
            child.process = subprocess.Popen(  # noqa: S603
                child.command,
                env={**environment, "PYTHONUNBUFFERED": "1", **child.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def log_file(self, name: str) -> Path:
        """Where a child's output goes."""
        return self._log_dir / f"{name}.log"

    def pid(self, name: str) -> int:
        """A child's process id now; it changes with a restart."""
        process = self._children[name].process
        return process.pid if process else 0

    def wait_until(self, name: str, ready: Callable[[], bool], seconds: float) -> None:
        """Wait for a child to be ready. Raises CommandError with the end of its log where it dies or takes too long."""
        deadline = time.monotonic() + seconds
        while not ready():
            child = self._children[name]
            if child.restarts > 2 or time.monotonic() > deadline:
                why = "keeps dying" if child.restarts > 2 else f"was not ready after {seconds:.0f} s"
                raise CommandError(f"{name} {why}. The end of {self.log_file(name)}:\n{self._log_tail(name)}")
            time.sleep(0.02)

    def _log_tail(self, name: str) -> str:
        try:
            lines = self.log_file(name).read_text(errors="replace").splitlines()
        except OSError:
            return ""
        return "\n".join(lines[-15:])

    def end(self, name: str, number: int = signal.SIGTERM) -> None:
        """End one child for good."""
        with self._lock:
            process = self._children.pop(name).process
        if process is not None:
            process.send_signal(number)
            process.wait(timeout=30)

    def _watch(self) -> None:
        """Restart what died."""
        while not self._stopping.wait(0.1):
            with self._lock:
                for child in self._children.values():
                    if child.process is not None and child.process.poll() is not None and not self._stopping.is_set():
                        child.restarts += 1
                        time.sleep(min(0.1 * child.restarts, 1.0))
                        self._spawn(child)

    def stop(self) -> None:
        """Stop all, last started first; kill what does not stop by itself."""
        self._stopping.set()
        if self._watcher:
            self._watcher.join(timeout=5)
        for child in reversed(list(self._children.values())):
            process = child.process
            if process is None or process.poll() is not None:
                continue
            process.terminate()
            try:
                process.wait(timeout=6)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
