"""Settings of gate, meter and witness, from TOLLGATE_* environment variables."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tollgate_extproc.budget.limits import Budget


@dataclass(frozen=True)
class Settings:
    """``key_pepper`` keys the hash under which API keys are stored; ``state_dir`` keeps spool and checkpoint."""

    redis_url: str
    key_pepper: bytes
    state_dir: Path
    listen: str = ""
    meter_listen: str = ""
    access_log: Path = Path()
    envoy_admin_url: str = ""
    node: str = "gateway"
    #: ``host:port`` of health and metrics; none if empty.
    health_listen: str = ""
    #: Path of the Unix socket over which a pod's hook asks for a drain; none if empty.
    drain_socket: str = ""
    #: How long a pod that is to end waits for its last requests.
    drain_seconds: float = 600
    #: How long a request may hold quota before it is settled without a witness.
    hold_seconds: int = 3600
    #: How long a broken-off response waits for the access log's word.
    join_grace_seconds: int = 10
    rotate_bytes: int = 64 << 20
    #: What a tenant's expression may take.
    budget: Budget = field(default_factory=Budget)

    @staticmethod
    def from_environment(environment: Mapping[str, str] = os.environ) -> "Settings":
        """Raises KeyError with the name of a variable that is missing."""
        return Settings(
            redis_url=environment["TOLLGATE_REDIS_URL"],
            key_pepper=environment["TOLLGATE_KEY_PEPPER"].encode(),
            state_dir=Path(environment["TOLLGATE_STATE_DIR"]),
            listen=environment.get("TOLLGATE_EXTPROC_LISTEN", ""),
            meter_listen=environment.get("TOLLGATE_METER_LISTEN", ""),
            access_log=Path(environment.get("TOLLGATE_ACCESS_LOG", "")),
            envoy_admin_url=environment.get("TOLLGATE_ENVOY_ADMIN_URL", ""),
            node=environment.get("TOLLGATE_NODE", "gateway"),
            health_listen=environment.get("TOLLGATE_HEALTH_LISTEN", ""),
            drain_socket=environment.get("TOLLGATE_DRAIN_SOCKET", ""),
            drain_seconds=float(environment.get("TOLLGATE_DRAIN_SECONDS", "600")),
            hold_seconds=int(environment.get("TOLLGATE_HOLD_SECONDS", "3600")),
            join_grace_seconds=int(environment.get("TOLLGATE_JOIN_GRACE_SECONDS", "10")),
            rotate_bytes=int(environment.get("TOLLGATE_ROTATE_BYTES", str(64 << 20))),
            budget=_budget(environment),
        )


def _budget(environment: Mapping[str, str]) -> Budget:
    usual = Budget()
    given = (
        int(environment.get("TOLLGATE_EXPRESSION_MS", usual.cpu_ms)),
        int(environment.get("TOLLGATE_EXPRESSION_WORKERS", usual.workers)),
        int(environment.get("TOLLGATE_EXPRESSION_MIB", usual.memory_bytes >> 20)),
    )
    if min(given) < 1:
        raise ValueError("TOLLGATE_EXPRESSION_MS, _WORKERS and _MIB must be at least 1")
    return Budget(given[0], given[1], given[2] << 20)


def settings_or_exit(*needed: str, environment: Mapping[str, str] = os.environ) -> Settings:
    """For entry points: exit code 2 and one line where a variable is missing or not usable. ``needed`` are those that
    this process needs beside those that all need."""
    try:
        for name in needed:
            if not environment.get(name):
                raise KeyError(name)
        return Settings.from_environment(environment)
    except (KeyError, ValueError) as error:
        sys.stderr.write(f"setting missing or not usable: {error}\n")
        sys.exit(2)
