"""64 streams x 100 events/s through plain Envoy, the stream mode and the native mode, in turn, several rounds."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.bench.client import sequential, stream_load
from tests.bench.measure import cost_now, middle, percentile, spent, wall
from tests.bench.plain import PlainEnvoy
from tests.support.gateway import Gateway
from tests.support.manifests import example_documents, find
from tollgate_cli.laptop.system import wait_for

PATH = "/openai/v1/chat/completions"


@dataclass(frozen=True)
class Round:
    """One run of one chain; times in ms, CPU in µs per event."""

    p50: float
    p99: float
    first: float
    rate: float
    envoy: float
    extproc: float
    lost: int
    broken: int


@dataclass(frozen=True)
class Chain:
    """A name, where it answers, a key, and the processes that serve it."""

    name: str
    url: str
    key: str
    processes: Mapping[str, int]


async def one_round(chain: Chain, streams: int, events: int, rate: float, seed: int) -> Round:
    before, started = cost_now(chain.processes), wall()
    samples = await stream_load(chain.url, chain.key, streams=streams, events=events, rate=rate, seed=seed)
    seconds = wall() - started
    cpu = spent(before, cost_now(chain.processes))
    count = max(1, len(samples.delays))
    return Round(
        percentile(samples.delays, 0.5),
        percentile(samples.delays, 0.99),
        percentile(samples.first, 0.5),
        count / seconds,
        cpu["envoy"] / count * 1e6,
        cpu.get("extproc0", 0.0) / count * 1e6,
        streams * events - len(samples.delays),
        samples.broken,
    )


def summary(rounds: list[Round]) -> dict[str, float]:
    """Medians over the rounds."""
    names = ("p50", "p99", "first", "rate", "envoy", "extproc")
    result = {name: middle([getattr(r, name) for r in rounds]) for name in names}
    return {**result, "lost": sum(r.lost for r in rounds), "broken": sum(r.broken for r in rounds)}


def unlimited(mode: str) -> list[dict[str, object]]:
    """The examples without rate limits that a benchmark would hit."""
    documents = example_documents(mode)
    find(documents, "Product", "openai-payg")["spec"]["rateLimits"] = [
        {"name": "requests", "requests": "1M", "window": "1m"},
        {"name": "in-flight", "concurrency": 100000},
    ]
    return documents


def run(directory: Path, *, streams: int, seconds: float, rounds: int, idle_streams: int) -> dict[str, object]:
    """All figures of the data path."""
    events = int(seconds * 100)
    with (
        Gateway(directory / "stream", unlimited("stream")) as stream,
        Gateway(directory / "native", unlimited("native")) as native,
        PlainEnvoy(directory, stream.system.sandbox_url) as plain,
    ):
        assert plain.process
        chains = [Chain("plain Envoy", plain.url + PATH, "none", {"envoy": plain.process.pid})]
        for name, gateway in (("stream", stream), ("native", native)):
            pids = {p: gateway.system.processes.pid(p) for p in ("envoy", "extproc0", "witness")}
            chains.append(Chain(name, gateway.url + PATH, gateway.key("acme-openai"), pids))
        found: dict[str, list[Round]] = {chain.name: [] for chain in chains}
        for number in range(rounds + 1):
            for chain in chains:
                print(f"round {number} of {rounds}: {chain.name}", flush=True)
                result = asyncio.run(one_round(chain, streams, events if number else 100, 100, number))
                if number:  # the first one warms up
                    found[chain.name].append(result)
        admission = {
            chain.name: percentile(asyncio.run(sequential(chain.url, chain.key, 500)), 0.5) for chain in chains
        }
        memory = {chain.name: asyncio.run(idle_memory(chain, idle_streams)) for chain in chains}
        exact = {name: _exact(gateway) for name, gateway in (("stream", stream), ("native", native))}
    return {
        "chains": {name: summary(results) for name, results in found.items()},
        "round trip p50 ms": admission,
        "KiB per open stream": memory,
        "requests not exact": exact,
    }


async def idle_memory(chain: Chain, streams: int) -> dict[str, float]:
    """What each of many slow streams costs, in KiB, by process; and the processes' size in MiB without them."""
    pids = {name: pid for name, pid in chain.processes.items() if name != "witness"}
    before = cost_now(pids)
    load = asyncio.create_task(stream_load(chain.url, chain.key, streams=streams, events=6, rate=0.5, seed=1))
    await asyncio.sleep(7)
    during = cost_now(pids)
    await load
    per_stream = {n: (during.resident[n] - before.resident[n]) / streams / 1024 for n in pids}
    return {**per_stream, **{f"{n} MiB": before.resident[n] / 2**20 for n in pids}}


def _exact(gateway: Gateway) -> int:
    wait_for(lambda: len(gateway.events()) >= len(gateway.journal()), 60)
    return sum(len(count.differences) for count in gateway.compare().values())
