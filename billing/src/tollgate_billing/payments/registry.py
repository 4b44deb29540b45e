"""The payment providers of the catalog, with the ports of those that have keys. Keys come from files, which a Secret is
mounted as."""

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import msgspec
import orjson
import structlog

from tollgate_billing.payments.port import ProviderPort
from tollgate_billing.payments.providers.making import make_port
from tollgate_billing.payments.providers.manual import ManualPort
from tollgate_core.catalog import Catalog, PaymentProvider
from tollgate_core.payment_keys import Mode, PaymentKeys, keys_file, mode_of

_log = structlog.get_logger("payments")
_SHORTEST_SECRET = 8
_NO_SIMULATOR = "nothing is sent to its real service here, and no simulator runs for it: restart 'tollgate up'"
_LIVE = "a live key is not used with a simulator: put a test key there, or start 'tollgate up' with --real-payments"
#: Of a file: when it was written, which it is, how long. A mounted Secret changes by a link that leads elsewhere.
_Stamp = tuple[int, int, int]


@dataclass(frozen=True)
class Configured:
    """A provider of the catalog. ``port`` is the same object for as long as neither its spec nor its keys change; None
    without keys, or where they must not be used: ``problem`` says why. ``mode`` is what the key says of itself."""

    provider: PaymentProvider
    port: ProviderPort | None
    mode: Mode | None = None
    problem: str = ""


class Registry:
    """Called for what is there now: an edited manifest or a rotated key needs no restart. Several threads call it."""

    def __init__(
        self, catalog: Callable[[], Catalog], directory: Path | None, simulators: Mapping[str, str] | None = None
    ) -> None:
        self._catalog = catalog
        self._directory = directory
        self._simulators = simulators
        self._lock = threading.Lock()
        self._read: dict[str, tuple[_Stamp, bytes]] = {}
        self._made: dict[str, tuple[bytes, Configured]] = {}

    def __call__(self) -> Sequence[Configured]:
        """All of the catalog."""
        with self._lock:
            found = [self._configured(provider) for provider in self._catalog().payment_providers]
            names = {one.provider.name for one in found}
            for gone in self._made.keys() - names:
                self._made.pop(gone)
                self._read.pop(gone, None)
            return found

    def _configured(self, provider: PaymentProvider) -> Configured:
        content = b"" if provider.kind == "manual" else self._content(provider.name)
        known = self._made.get(provider.name)
        if known is None or known[0] != content or known[1].provider != provider:
            known = self._made[provider.name] = (content, self._configure(provider, content))
        return known[1]

    def _configure(self, provider: PaymentProvider, content: bytes) -> Configured:
        if self._simulators is None or provider.kind == "manual" or provider.api_url:
            return _configure(provider, content)
        url = self._simulators.get(provider.name, "")
        found = replace(_configure(msgspec.structs.replace(provider, api_url=url), content), provider=provider)
        problem = _NO_SIMULATOR if not url else _LIVE if found.mode == "live" else ""
        return replace(found, port=None, problem=problem) if problem and found.port is not None else found

    def _content(self, name: str) -> bytes:
        """Read where it changed."""
        if self._directory is None:
            return b""
        path = self._directory / keys_file(name)
        try:
            stamp = _stamp(path)
            known = self._read.get(name)
            if known is None or known[0] != stamp:
                known = self._read[name] = (stamp, path.read_bytes())
        except OSError:
            self._read.pop(name, None)
            return b""
        return known[1]


def _stamp(path: Path) -> _Stamp:
    found = os.stat(path)
    return found.st_mtime_ns, found.st_ino, found.st_size


def _configure(provider: PaymentProvider, content: bytes) -> Configured:
    if provider.kind == "manual":
        return Configured(provider, ManualPort())
    keys = _keys(content)
    mode = mode_of(keys.secret_key) if keys is not None else None
    if keys is None or mode is None:
        return Configured(provider, None)
    return Configured(provider, make_port(provider, keys, mode), mode)


def _checked(secret_key: object, webhook_secrets: object) -> PaymentKeys:
    """A text in the place of a list would make each of its letters a secret."""
    secrets = cast("list[object]", webhook_secrets) if isinstance(webhook_secrets, list) else []
    texts = [secret for secret in secrets if isinstance(secret, str) and len(secret) >= _SHORTEST_SECRET]
    if not isinstance(secret_key, str) or not secret_key or not texts or len(texts) != len(secrets):
        raise TypeError("secretKey must be a text, webhookSecrets a list of texts")
    return PaymentKeys(secret_key, tuple(texts))


def _keys(content: bytes) -> PaymentKeys | None:
    try:
        document = orjson.loads(content) if content else None
        return _checked(document["secretKey"], document["webhookSecrets"]) if document else None
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        _log.error("keys of a payment provider are not usable", error=type(error).__name__)
        return None
