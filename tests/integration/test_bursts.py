"""More calls at once than the gate can answer at once."""

import signal
from concurrent.futures import ThreadPoolExecutor, wait

import httpx

from tests.support.calls import CHAT, chat_body, headers
from tests.support.gateway import Gateway
from tollgate_cli.laptop import loopback


def test_a_gate_that_is_behind_delays_calls_and_refuses_none(gateway: Gateway) -> None:
    """As in a burst, or on a node with too little CPU: who calls a model waits for seconds anyway."""
    auth = headers(gateway, "acme-openai", {"tokens": 1})

    def call() -> httpx.Response:
        return loopback.post(gateway.url + CHAT, headers=auth, json=chat_body(), timeout=30)

    with ThreadPoolExecutor(20) as callers:
        gateway.kill("extproc0", signal.SIGSTOP)
        calls = [callers.submit(call) for _ in range(20)]
        answered, _ = wait(calls, timeout=2.5)
        gateway.kill("extproc0", signal.SIGCONT)
        assert not answered
        assert {call.result().status_code for call in calls} == {200}
