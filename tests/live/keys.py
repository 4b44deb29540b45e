"""Which keys the live suite takes: those of sandboxes."""

from collections.abc import Mapping

import pytest

_SANDBOX = {"STRIPE_API_KEY": ("sk_test_", "rk_test_"), "PADDLE_API_KEY": ("pdl_sdbx_",)}


def refuse_live_keys(environment: Mapping[str, str]) -> None:
    """Whatever does not say itself that it is of a sandbox is refused."""
    for name, beginnings in _SANDBOX.items():
        key = environment.get(name, "")
        if key and not key.startswith(beginnings):
            pytest.exit(f"{name} is not a sandbox's key ({' or '.join(beginnings)}…): nothing was run", 4)
