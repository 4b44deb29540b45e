"""How fast billing turns a stream of usage events into the ledger."""

import os
import signal
import time
from pathlib import Path

import redis

from tests.support.gateway import Gateway
from tests.support.manifests import example_documents
from tests.support.usage import chat_fields, completed_event
from tollgate_cli.laptop.billing_client import BillingClient
from tollgate_cli.laptop.system import wait_for
from tollgate_core.admission import PriceVersion
from tollgate_core.redis_contract import PARTITIONS, Keys, partition_of


def event(number: int) -> tuple[int, bytes]:
    """(partition, CloudEvents JSON)."""
    subscription = f"bench-{number % 100}"
    chat = chat_fields(10, 5)
    built = completed_event(
        f"bench-{number}",
        subscription,
        1_795_000_000_000 + number,
        source="bench",
        model="gpt-5",
        tokens=10,
        customer="bench",
        product="openai-payg",
        endpoint="openai/chat",
        streamed=True,
        prices=(PriceVersion("input-tokens", "openai-payg-input", "v1"),),
        **{**chat, "quantities": {**chat["quantities"], "cached-input-tokens": "0"}},
    )
    return partition_of(subscription), built.encode()


def run(directory: Path, count: int) -> float:
    """Events per second from a stream that is full before billing may read on."""
    with Gateway(directory / "ingest", example_documents("native")) as gateway:
        pid = gateway.system.processes.pid("billing")
        os.kill(pid, signal.SIGSTOP)
        client = gateway.redis
        with client.pipeline(transaction=False) as pipeline:
            for number in range(count):
                partition, encoded = event(number)
                pipeline.xadd(Keys.events(partition), {"event": encoded})
                if number % 1000 == 999:
                    pipeline.execute()
            pipeline.execute()
        started = time.monotonic()
        os.kill(pid, signal.SIGCONT)
        assert wait_for(lambda: _left(client) == 0, 120)
        seconds = time.monotonic() - started
        billing: BillingClient = gateway.session.billing
        assert billing.get("/v1/totals")
    return count / seconds


def _left(client: "redis.Redis") -> int:
    return sum(int(client.xlen(Keys.events(p))) for p in range(PARTITIONS))
