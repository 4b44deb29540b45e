"""Raw calls through the gateway, with a script for the simulated upstream."""

import json
from typing import Any

import httpx

from tests.support.gateway import Gateway
from tollgate_cli.laptop import loopback

CHAT = "/openai/v1/chat/completions"


def headers(gateway: Gateway, subscription: str, script: dict[str, Any] | None = None) -> dict[str, str]:
    """The key, and what the upstream is to do."""
    found = {"authorization": f"Bearer {gateway.key(subscription)}"}
    return found | ({"x-sandbox": json.dumps(script)} if script else {})


def chat_body(stream: bool = True, **fields: Any) -> dict[str, Any]:
    """A chat completion request."""
    return {"model": "gpt-5", "stream": stream, "messages": [{"role": "user", "content": "count me in"}], **fields}


def chat(
    gateway: Gateway,
    script: dict[str, Any] | None = None,
    *,
    stream: bool = True,
    subscription: str = "acme-openai",
    **fields: Any,
) -> httpx.Response:
    """One chat call, read to its end."""
    return loopback.post(
        gateway.url + CHAT,
        headers=headers(gateway, subscription, script),
        json=chat_body(stream, **fields),
        timeout=60,
    )


def request_id(response: httpx.Response) -> str:
    """The billing id of an admitted request."""
    found: str = response.headers["x-billing-request-id"]
    return found
