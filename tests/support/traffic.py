"""Traffic that goes on while something is broken: streams in several formats, some of them left by their client."""

import asyncio
import json
import random
import threading
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx

from tests.support.calls import chat_body

_TARGETS = [
    ("/openai/v1/chat/completions", "acme-openai", chat_body()),
    ("/openai/v1/chat/completions", "acme-openai", chat_body(False)),
    ("/anthropic/v1/messages", "acme-claude", {**chat_body(), "max_tokens": 500}),
    ("/ollama/api/chat", "acme-open-models", chat_body()),
    (
        "/gemini/v1beta/models/gemini-pro:streamGenerateContent?alt=sse",
        "beta-gemini",
        {"contents": [{"parts": [{"text": "x"}]}]},
    ),
]


class Target(Protocol):
    """A running system that can be called, on whatever it runs."""

    @property
    def url(self) -> str:
        """The gateway."""
        ...

    def key(self, subscription: str) -> str:
        """A subscription's API key."""
        ...

    def logs(self) -> str:
        """The ends of all logs, for a failure's text."""
        ...


@dataclass
class Seen:
    """What the clients saw: ids of admitted requests, those that ended in full, statuses."""

    admitted: list[str] = field(default_factory=list[str])
    complete: list[str] = field(default_factory=list[str])
    statuses: list[int] = field(default_factory=list[int])


class Traffic:
    """``workers`` clients that call one after the other until they are stopped. A context manager."""

    def __init__(self, gateway: Target, workers: int = 8, leave: float = 0.0, seed: int = 1) -> None:
        self.seen = Seen()
        self._gateway = gateway
        self._keys = {subscription: gateway.key(subscription) for _, subscription, _ in _TARGETS}
        self._workers = workers
        self._leave = leave
        self._random = random.Random(seed)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._enough = threading.Condition()

    def __enter__(self) -> "Traffic":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Let every client finish its request."""
        self._stop.set()
        self._thread.join(60)

    def wait_for_answers(self, count: int, seconds: float = 60) -> None:
        """Until so many more requests have been answered with success."""
        goal = self.seen.statuses.count(200) + count
        with self._enough:
            assert self._enough.wait_for(lambda: self.seen.statuses.count(200) >= goal, seconds), self._gateway.logs()

    async def _run(self) -> None:
        async with httpx.AsyncClient(base_url=self._gateway.url, timeout=30) as client:
            await asyncio.gather(*(self._worker(client) for _ in range(self._workers)))

    async def _worker(self, client: httpx.AsyncClient) -> None:
        while not self._stop.is_set():
            path, subscription, body = self._random.choice(_TARGETS)
            await self._call(client, path, subscription, body)
            with self._enough:
                self._enough.notify_all()

    async def _call(self, client: httpx.AsyncClient, path: str, subscription: str, body: dict[str, Any]) -> None:
        script = {"tokens": self._random.randint(5, 40), "delay_ms": self._random.choice([0, 2, 5])}
        auth = {"authorization": f"Bearer {self._keys[subscription]}", "x-sandbox": json.dumps(script)}
        leaves = self._random.random() < self._leave
        request = ""
        try:
            async with client.stream("POST", path, json=body, headers=auth) as response:
                request = response.headers.get("x-billing-request-id", "")
                if request:
                    self.seen.admitted.append(request)
                async for _ in response.aiter_bytes():
                    if leaves:
                        break
                else:
                    if request and response.status_code == 200:
                        self.seen.complete.append(request)
                self.seen.statuses.append(response.status_code)
        except httpx.HTTPError:
            self.seen.statuses.append(0)
            await asyncio.sleep(0.02)
