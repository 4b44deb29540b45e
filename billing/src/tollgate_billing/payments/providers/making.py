"""Ports from keys. The SDKs are imported when the first key of theirs is there: the two take 57 MiB and 0.7 s, which
nobody needs who collects with the other one or by hand."""

from requests import Session

from tollgate_billing.payments.port import ProviderPort
from tollgate_billing.payments.providers.session import paced
from tollgate_core.catalog import PaymentProvider
from tollgate_core.payment_keys import Mode, PaymentKeys


def make_port(provider: PaymentProvider, keys: PaymentKeys, mode: Mode) -> ProviderPort:
    """Of a kind that has keys; ``mode`` is theirs. Nothing is sent."""
    return (_paddle if provider.kind == "paddle" else _stripe)(provider, keys, mode)


def _paddle(provider: PaymentProvider, keys: PaymentKeys, mode: Mode) -> ProviderPort:
    from tollgate_billing.payments.providers.paddle.port import PaddlePort, paddle_client  # noqa: PLC0415

    client = paddle_client(keys.secret_key, sandbox=provider.sandbox, api_url=provider.api_url)
    paced(client.client, "paddle")
    return PaddlePort(client, keys.webhook_secrets, mode=mode)


def _stripe(provider: PaymentProvider, keys: PaymentKeys, mode: Mode) -> ProviderPort:
    from tollgate_billing.payments.providers.stripe.port import (  # noqa: PLC0415
        StripePort,
        stripe_client,
        stripe_http,
    )

    http = stripe_http(paced(Session(), "stripe"))
    client = stripe_client(keys.secret_key, provider.api_url, provider.account, http)
    return StripePort(client, keys.webhook_secrets, automatic_tax=provider.automatic_tax, mode=mode)
