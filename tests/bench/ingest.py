"""How fast billing turns a stream of usage events into the ledger."""

import os
import signal
import time
from pathlib import Path

import redis

from tests.support.gateway import Gateway
from tests.support.manifests import example_documents
from tollgate_cli.laptop.billing_client import BillingClient
from tollgate_cli.laptop.system import wait_for
from tollgate_core.admission import PriceVersion
from tollgate_core.events import Usage, UsageEvent, rfc3339
from tollgate_core.redis_contract import PARTITIONS, Keys, partition_of


def event(number: int) -> tuple[int, bytes]:
    """(partition, CloudEvents JSON)."""
    subscription = f"bench-{number % 100}"
    usage = Usage(
        customer="bench",
        product="openai-payg",
        product_version="v",
        catalog="c",
        endpoint="openai/chat",
        outcome="completed",
        quality="exact",
        witness="meter",
        ended_at=rfc3339(1_795_000_000_000 + number),
        format="openai_completions",
        requested_model="gpt-5",
        served_model="gpt-5",
        streamed=True,
        status_code=200,
        usage={"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
        dimensions={"input": 10, "output": 5},
        quantities={"input-tokens": "10", "output-tokens": "5", "cached-input-tokens": "0"},
        prices=(PriceVersion("input-tokens", "openai-payg-input", "v1"),),
    )
    built = UsageEvent(
        id=f"bench-{number}", source="bench", subject=subscription, time=rfc3339(1_795_000_000_000 + number), data=usage
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
