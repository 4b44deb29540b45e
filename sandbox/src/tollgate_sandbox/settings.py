"""How a sandbox is run."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Settings:
    """Where to listen and whom to let in; port 0 takes a free port, `uds` replaces host and port."""

    host: str = "127.0.0.1"
    port: int = 0
    uds: Path | None = None
    ready_file: Path | None = None
    require_key: str | None = None
    journal_size: int = 100_000
