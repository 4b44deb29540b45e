"""A stream that goes on while a test changes something."""

import json
import threading
from typing import Any, Self

from tests.support.calls import CHAT, chat_body
from tests.support.traffic import Target
from tollgate_cli.laptop import loopback


class OpenStream:
    """A streamed call of ``tokens`` tokens. A context manager: entered once its response has begun, left once it has
    ended."""

    def __init__(
        self,
        target: Target,
        subscription: str = "acme-openai",
        path: str = CHAT,
        *,
        tokens: int,
        delay_ms: int = 100,
        **fields: Any,
    ) -> None:
        #: What the client has received so far.
        self.lines: list[str] = []
        script = json.dumps({"tokens": tokens, "delay_ms": delay_ms})
        self._url = target.url + path
        self._headers = {"authorization": f"Bearer {target.key(subscription)}", "x-sandbox": script}
        self._body = chat_body(**fields)
        self._begun = threading.Event()
        self._client = threading.Thread(target=self._read)

    def __enter__(self) -> Self:
        self._client.start()
        assert self._begun.wait(20)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.join(30)

    def _read(self) -> None:
        with loopback.stream("POST", self._url, json=self._body, headers=self._headers, timeout=60) as response:
            for line in response.iter_lines():
                self.lines.append(line)
                self._begun.set()
