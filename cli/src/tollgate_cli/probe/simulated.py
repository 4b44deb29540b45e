"""The simulated provider, for manifests that name it: started for as long as the probe runs."""

import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tollgate_cli.laptop.processes import Child, Processes


@contextmanager
def simulated_upstream() -> Generator[str]:
    """Its URL."""
    with tempfile.TemporaryDirectory(prefix="tollgate-probe-") as name:
        directory = Path(name)
        ready, processes = directory / "sandbox.url", Processes(directory / "logs")
        command = [sys.executable, "-m", "tollgate_sandbox", "--port", "0", "--ready-file", str(ready)]
        try:
            processes.start(Child("sandbox", command))
            processes.wait_until("sandbox", ready.exists, 20)
            yield ready.read_text().strip()
        finally:
            processes.stop()
