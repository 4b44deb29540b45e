"""The payment providers of the catalog that have keys, as ports. Keys come from files, which a Secret is mounted as."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import orjson
import structlog

from tollgate_billing.payments.port import ProviderPort
from tollgate_billing.payments.providers.manual import ManualPort
from tollgate_billing.payments.providers.paddle.port import PaddlePort, paddle_client
from tollgate_billing.payments.providers.stripe.port import StripePort, stripe_client
from tollgate_core.catalog import Catalog, PaymentProvider

_log = structlog.get_logger("payments")
_SHORTEST_SECRET = 8


@dataclass(frozen=True)
class Keys:
    """Of one account. ``webhook_secrets``: all that are valid now."""

    secret_key: str = field(repr=False)
    webhook_secrets: Sequence[str] = field(repr=False)


class Registry:
    """Called for what is there now: an edited manifest or a rotated key needs no restart."""

    def __init__(self, catalog: Callable[[], Catalog], directory: Path | None) -> None:
        self._catalog = catalog
        self._directory = directory
        self._made: dict[str, tuple[tuple[PaymentProvider, bytes], ProviderPort]] = {}

    def __call__(self) -> Mapping[str, ProviderPort]:
        """By name; without those whose keys are missing."""
        found: dict[str, ProviderPort] = {}
        for provider in self._catalog().payment_providers:
            content = self._content(provider.name)
            known = self._made.get(provider.name)
            if known is not None and known[0] == (provider, content):
                found[provider.name] = known[1]
                continue
            port = _port(provider, content)
            if port is not None:
                self._made[provider.name] = (provider, content), port
                found[provider.name] = port
        return found

    def _content(self, name: str) -> bytes:
        if self._directory is None:
            return b""
        try:
            return (self._directory / keys_file(name)).read_bytes()
        except OSError:
            return b""


def keys_file(provider: str) -> str:
    """In the folder of keys: JSON with ``secretKey`` and ``webhookSecrets``."""
    return f"{provider.replace('/', '.')}.json"


def _port(provider: PaymentProvider, content: bytes) -> ProviderPort | None:
    if provider.kind == "manual":
        return ManualPort()
    keys = _keys(content)
    if keys is None:
        return None
    if provider.kind == "paddle":
        paddle = paddle_client(keys.secret_key, sandbox=provider.sandbox, api_url=provider.api_url)
        return PaddlePort(paddle, keys.webhook_secrets)
    client = stripe_client(keys.secret_key, provider.api_url, provider.account)
    return StripePort(client, keys.webhook_secrets, automatic_tax=provider.automatic_tax)


def _checked(secret_key: object, webhook_secrets: object) -> Keys:
    """A text in the place of a list would make each of its letters a secret."""
    secrets = cast("list[object]", webhook_secrets) if isinstance(webhook_secrets, list) else []
    texts = [secret for secret in secrets if isinstance(secret, str) and len(secret) >= _SHORTEST_SECRET]
    if not isinstance(secret_key, str) or not secret_key or not texts or len(texts) != len(secrets):
        raise TypeError("secretKey must be a text, webhookSecrets a list of texts")
    return Keys(secret_key, tuple(texts))


def _keys(content: bytes) -> Keys | None:
    try:
        document = orjson.loads(content) if content else None
        return _checked(document["secretKey"], document["webhookSecrets"]) if document else None
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        _log.error("keys of a payment provider are not usable", error=type(error).__name__)
        return None
