"""What ``tollgate up`` was asked to do."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class UpOptions:
    """``envoy`` and ``redis`` are paths (``redis`` also a URL) or None; ``workers`` is the number of gate processes.
    Without ``real_payments`` no real payment provider is ever spoken to."""

    manifests: Path
    state_dir: Path
    gateway_port: int = 0
    gateway_address: str = "127.0.0.1"
    envoy: str | None = None
    redis: str | None = None
    database_url: str | None = None
    workers: int = 1
    hold_seconds: int = 3600
    join_grace_seconds: int = 10
    real_payments: bool = False
