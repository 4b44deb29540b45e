"""Keys of payment providers: what they look like, and how the operator hands them to billing. Pure.

A wrong key is found here, by its public prefix, before anybody is asked with it. No text that is made here holds more
of a value than that prefix.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

Mode = Literal["test", "live"]
#: Of one value; real ones have about a hundred.
_LONGEST = 4096
_BODY = r"[A-Za-z0-9_+/=.-]+"
_STRIPE_KEY = re.compile(rf"(sk|rk)_(?P<mode>test|live)_{_BODY}")
_STRIPE_WEBHOOK = re.compile(rf"whsec_{_BODY}")
_PADDLE_KEY = re.compile(rf"pdl_(?P<mode>sdbx|live)_apikey_{_BODY}")
_PADDLE_WEBHOOK = re.compile(rf"pdl_ntfset_{_BODY}")
#: What people put into the wrong place, by its public prefix.
_OTHERS = {
    "pk_": "a publishable key (pk_…), which is for browsers",
    "sk_": "a secret key of Stripe (sk_…)",
    "rk_": "a restricted key of Stripe (rk_…)",
    "whsec_": "the signing secret of a webhook of Stripe (whsec_…)",
    "pdl_ntfset_": "the secret of a notification destination of Paddle (pdl_ntfset_…)",
    "pdl_sdbx_apikey_": "an API key of Paddle's sandbox (pdl_sdbx_apikey_…)",
    "pdl_live_apikey_": "an API key of Paddle's production system (pdl_live_apikey_…)",
}


@dataclass(frozen=True)
class PaymentKeys:
    """Of one account. ``webhook_secrets``: all that are valid now, the newest first."""

    secret_key: str = field(repr=False)
    webhook_secrets: Sequence[str] = field(repr=False)

    def encode(self) -> str:
        """As billing reads it; the same keys give the same text."""
        return json.dumps({"secretKey": self.secret_key, "webhookSecrets": list(self.webhook_secrets)})


def keys_file(provider: str) -> str:
    """Of a provider's qualified name. Names are DNS labels, so no two share one."""
    return f"{provider.replace('/', '.')}.json"


def mode_of(secret_key: str) -> Mode | None:
    """As the key itself says; None where it does not."""
    found = _STRIPE_KEY.fullmatch(secret_key) or _PADDLE_KEY.fullmatch(secret_key)
    if found is None:
        return None
    return "live" if found["mode"] == "live" else "test"


def stripe_key_problem(value: str) -> str:
    """What is wrong with an API key; empty where nothing is seen to be."""
    return _shape(value) or _like(value, _STRIPE_KEY, "it must begin with sk_test_, sk_live_, rk_test_ or rk_live_")


def stripe_webhook_problem(value: str) -> str:
    """As ``stripe_key_problem``, of the signing secret of a webhook."""
    return _shape(value) or _like(value, _STRIPE_WEBHOOK, "it must begin with whsec_")


def paddle_key_problem(value: str, environment: Literal["sandbox", "production"]) -> str:
    """As ``stripe_key_problem``; keys of Paddle's two systems must not be mixed."""
    wanted = "test" if environment == "sandbox" else "live"
    prefix = "pdl_sdbx_apikey_" if environment == "sandbox" else "pdl_live_apikey_"
    problem = _shape(value) or _like(value, _PADDLE_KEY, f"it must begin with {prefix}")
    if problem or mode_of(value) == wanted:
        return problem
    return f"is {_other(value)}, and spec.paddle.environment is {environment}"


def paddle_webhook_problem(value: str) -> str:
    """As ``stripe_key_problem``, of the secret of a notification destination."""
    return _shape(value) or _like(value, _PADDLE_WEBHOOK, "it must begin with pdl_ntfset_")


def _shape(value: str) -> str:
    if not value.strip():
        return "is empty"
    if value != value.rstrip("\r\n"):
        return (
            "ends with a line break: 'kubectl create secret --from-file' keeps the one at the end of a file (write it "
            "with printf, or use --from-literal)"
        )
    if value != value.strip():
        return "begins or ends with a blank"
    if len(value) > _LONGEST:
        return f"is longer than {_LONGEST} characters, which no key is"
    return ""


def _like(value: str, pattern: re.Pattern[str], wanted: str) -> str:
    if pattern.fullmatch(value):
        return ""
    other = _other(value)
    if other and not pattern.match(value):
        return f"is {other}: {wanted}"
    return f"holds a character that no key has, or ends after its prefix: {wanted}" if other else f"is no key: {wanted}"


def _other(value: str) -> str:
    return next((name for prefix, name in _OTHERS.items() if value.startswith(prefix)), "")
