"""Settings of billing, from TOLLGATE_* environment variables."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """``consumer`` names this process in the streams' consumer group and must be unique among running ones.

    ``crash_at`` (TOLLGATE_CRASH_AT) is a fault-injection hook that only tests set: the process dies at that point.
    Secrets are kept out of the repr.
    """

    redis_url: str = field(repr=False)
    database_url: str = field(repr=False)
    key_pepper: bytes = field(repr=False)
    admin_token: str = field(repr=False)
    listen_host: str = "127.0.0.1"
    listen_port: int = 8080
    ready_file: Path | None = None
    #: A folder with ``tls.crt`` and ``tls.key``: then the API speaks TLS.
    tls_dir: Path | None = None
    consumer: str = ""
    #: How long after its end a period is closed: usage of its last moments may still be on its way.
    close_delay_seconds: float = 3600
    crash_at: str = ""
    #: A folder with the keys of payment providers: ``<name>.json``, a slash in the name as a dot.
    payment_keys_dir: Path | None = None
    #: Addresses of simulators, by PaymentProvider. Where this is set, even to none at all, a provider's own
    #: service is never asked: only what the manifest's ``apiUrl`` or this names.
    payment_simulators: Mapping[str, str] | None = None

    @staticmethod
    def from_environment(environment: Mapping[str, str] = os.environ) -> "Settings":
        """Raises KeyError with the name of a variable that is missing, ValueError for one that is unusable."""
        host, _, port = environment.get("TOLLGATE_BILLING_LISTEN", "127.0.0.1:8080").rpartition(":")
        ready_file = environment.get("TOLLGATE_BILLING_READY_FILE", "")
        tls_dir = environment.get("TOLLGATE_TLS_DIR", "")
        token = environment["TOLLGATE_ADMIN_TOKEN"]
        if environment.get("TEST_MODE"):
            # Paddle's SDK would take events of any age: whoever has recorded one could send it again.
            raise ValueError("TEST_MODE must not be set: it turns off the protection against replayed webhooks")
        keys_dir = environment.get("TOLLGATE_PAYMENT_KEYS_DIR", "")
        if not token:
            raise ValueError("TOLLGATE_ADMIN_TOKEN must not be empty")
        return Settings(
            redis_url=environment["TOLLGATE_REDIS_URL"],
            database_url=environment["TOLLGATE_DATABASE_URL"],
            key_pepper=environment["TOLLGATE_KEY_PEPPER"].encode(),
            admin_token=token,
            listen_host=host.strip("[]") or "127.0.0.1",
            listen_port=int(port),
            ready_file=Path(ready_file) if ready_file else None,
            tls_dir=Path(tls_dir) if tls_dir else None,
            consumer=environment.get("TOLLGATE_CONSUMER") or f"{socket.gethostname()}-{os.getpid()}",
            close_delay_seconds=float(environment.get("TOLLGATE_CLOSE_DELAY_SECONDS", "3600")),
            crash_at=environment.get("TOLLGATE_CRASH_AT", ""),
            payment_keys_dir=Path(keys_dir) if keys_dir else None,
            payment_simulators=_simulators(environment.get("TOLLGATE_PAYMENT_SIMULATORS")),
        )


def _simulators(text: str | None) -> Mapping[str, str] | None:
    """Of ``name=url,name=url``."""
    if text is None:
        return None
    pairs = [pair.partition("=") for pair in text.split(",") if pair]
    if any(not separator for _, separator, _ in pairs):
        raise ValueError("TOLLGATE_PAYMENT_SIMULATORS: is not name=url,name=url")
    return {name: url for name, _, url in pairs}
