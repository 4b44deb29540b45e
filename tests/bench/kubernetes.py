"""The operator on a real API server, at the size of a provider: thousands of objects, edited one at a time."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.bench.measure import percentile
from tests.support.kubernetes import ApiServer, binaries
from tests.support.kubernetes.release import Release
from tests.support.manifests import Document, resource
from tollgate_cli.laptop.system import wait_for
from tollgate_core.manifests.crds import CUSTOM_KINDS, GROUP, VERSION

_PLURALS = {kind.name: kind.plural for kind in CUSTOM_KINDS}
_HEALTH, _ADMIN = 8081, 9901
_AT_ONCE = 24
_REST_SECONDS = 30
_SHARES = {"p50": 0.5, "p95": 0.95}


@dataclass(frozen=True)
class Size:
    """How many of each; ``few`` subscriptions are left for the comparison."""

    apis: int = 100
    products: int = 1000
    subscriptions: int = 5000
    few: int = 100
    edits: int = 30


def documents(size: Size) -> list[Document]:
    """Each product grants one API, each subscription is to one product."""
    found: list[Document] = []
    for number in range(size.apis):
        endpoints = [
            {"name": "chat", "path": "/v1/chat/completions", "format": "openai_completions"},
            {"name": "embed", "path": "/v1/embeddings"},
        ]
        rules = [{"when": 'request.json.model == "retired"', "status": 410, "message": "gone"}]
        upstream = {"url": "http://sandbox.localhost"}
        spec = {"pathPrefix": f"/api-{number}", "upstream": upstream, "endpoints": endpoints, "rejectionRules": rules}
        found.append(resource("API", f"api-{number}", **spec))
    for number in range(size.products):
        limit = {"name": "minute", "requests": "60", "window": "1m"}
        selectors = [{"api": f"api-{number % size.apis}"}]
        found.append(resource("Product", f"product-{number}", endpoints=selectors, rateLimits=[limit]))
    for number in range(size.subscriptions):
        customer = {"id": f"customer-{number}"}
        made = resource("Subscription", f"sub-{number}", product=f"product-{number % size.products}", customer=customer)
        found.append(made)
    return found


class Bench:
    """One release under measurement."""

    def __init__(self, server: ApiServer, release: Release, say: Callable[[str], None]) -> None:
        self.server = server
        self.release = release
        self.say = say
        self._http = server.client()
        self._operator = httpx.Client(base_url=f"http://127.0.0.1:{release.port(_HEALTH)}", timeout=30)
        self._envoy = httpx.Client(base_url=f"http://127.0.0.1:{release.port(_ADMIN)}", timeout=30)

    def close(self) -> None:
        """Close all clients."""
        for client in (self._http, self._operator, self._envoy):
            client.close()

    def path(self, kind: str, name: str = "") -> str:
        """Of a kind in the release's namespace."""
        base = f"/apis/{GROUP}/{VERSION}/namespaces/{self.release.team}/{_PLURALS[kind]}"
        return f"{base}/{name}" if name else base

    def create(self, made: list[Document]) -> float:
        """All of them, in parallel; the seconds it took."""
        return self._all([("POST", self.path(document["kind"]), document) for document in made])

    def delete(self, kind: str, names: list[str]) -> float:
        """The same way."""
        return self._all([("DELETE", self.path(kind, name), None) for name in names])

    def _all(self, requests: list[tuple[str, str, Any]]) -> float:
        async def send_all() -> None:
            slots = asyncio.Semaphore(_AT_ONCE)
            trust, headers = self.server.trust(), dict(self._http.headers)
            async with httpx.AsyncClient(
                verify=trust, trust_env=False, base_url=self.server.url, headers=headers, timeout=60
            ) as http:

                async def send(method: str, path: str, body: Any) -> None:
                    async with slots:
                        (await http.request(method, path, json=body)).raise_for_status()

                await asyncio.gather(*(send(*request) for request in requests))

        started = time.monotonic()
        asyncio.run(send_all())
        return time.monotonic() - started

    def programmed(self, kind: str) -> int:
        """How many say that they are."""
        items = self._http.get(self.path(kind), timeout=120).raise_for_status().json()["items"]
        return sum(is_programmed(item) for item in items)

    def metric(self, name: str) -> float:
        """Of the operator; 0 while it does not answer."""
        try:
            text = self._operator.get("/metrics").text
        except httpx.TransportError:
            return 0
        return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name))

    def start_operator(self) -> None:
        """And nothing more."""
        self.release.start("operator")

    def stop_operator(self) -> None:
        """As its pod would be."""
        self.release.processes.end(self.release.process("operator"))

    def operator(self) -> psutil.Process:
        """The process."""
        return psutil.Process(self.release.processes.pid(self.release.process("operator")))

    def requests(self, since: int) -> Counter[str]:
        """The operator's requests from a position of the audit log on, without those of its lease."""
        user = f"{self.release.namespace}:{self.release.name}"
        return Counter(
            f"{record.verb} {record.resource}"
            for record in self.server.audit()[since:]
            if user in record.user and record.resource != "leases" and record.stage != "ResponseStarted"
        )

    def wait_silent(self) -> None:
        """Until the operator has asked for nothing for some seconds."""

        def silent() -> bool:
            position = self.position()
            time.sleep(4)
            return not self.requests(position)

        if not wait_for(silent, 180):
            raise TimeoutError(self.release.logs())

    def position(self) -> int:
        """Of the audit log."""
        return len(self.server.audit())

    def envoy_bytes(self) -> int:
        """All that Envoy received from the operator."""
        name = "cluster.tollgate/ads.upstream_cx_rx_bytes_total"
        text = self._envoy.get("/stats", params={"filter": f"^{name}$"}).text
        return int(text.rpartition(":")[2])

    def edit(self, name: str, patch: Any) -> float:
        """An API; the milliseconds from the API server's answer until its new generation is programmed."""
        headers = {"content-type": "application/merge-patch+json"}
        answer = self._http.patch(self.path("API", name), json={"spec": patch}, headers=headers).raise_for_status()
        started, generation = time.monotonic(), answer.json()["metadata"]["generation"]
        while True:
            found = self._http.get(self.path("API", name)).json()
            if is_programmed(found) and found["status"]["observedGeneration"] == generation:
                return (time.monotonic() - started) * 1000
            if time.monotonic() - started > 60:
                raise TimeoutError(f"{name} is not programmed: {found.get('status')}\n{self.release.logs()}")
            time.sleep(0.01)


def is_programmed(document: Document) -> bool:
    """For what its spec is now."""
    return any(
        c["type"] == "Programmed"
        and c["status"] == "True"
        and c["observedGeneration"] == document["metadata"]["generation"]
        for c in document.get("status", {}).get("conditions", [])
    )


def edits(bench: Bench, size: Size, label: str) -> dict[str, Any]:
    """One at a time, each waited for: path prefixes and rejection messages in turn."""
    position, received, cpu = bench.position(), bench.envoy_bytes(), sum(bench.operator().cpu_times()[:2])
    took: dict[str, list[float]] = {"path prefix": [], "rejection message": []}
    rule = {"when": 'request.json.model == "retired"', "status": 410}
    for number in range(size.edits):
        name = f"api-{number % size.apis}"
        if number % 2:
            took["path prefix"].append(bench.edit(name, {"pathPrefix": f"/{label}-{number}"}))
        else:
            rules = [{**rule, "message": f"{label} {number}"}]
            took["rejection message"].append(bench.edit(name, {"rejectionRules": rules}))
    time.sleep(2)  # what an edit causes afterwards counts as well
    requests = bench.requests(position)
    spent = sum(bench.operator().cpu_times()[:2]) - cpu
    return {
        "latencies": {
            kind: {name: percentile([int(v * 1e6) for v in values], share) for name, share in _SHARES.items()}
            for kind, values in took.items()
        },
        "requests per edit": {name: count / size.edits for name, count in sorted(requests.items())},
        "Envoy KiB per edit": (bench.envoy_bytes() - received) / 1024 / size.edits,
        "operator CPU ms per edit": spent * 1000 / size.edits,
    }


def cold_start(bench: Bench, size: Size) -> dict[str, float]:
    """From the operator's start until all say that they are programmed."""
    wanted = size.apis + size.products + size.subscriptions
    started = time.monotonic()
    bench.start_operator()
    if not wait_for(lambda: bench.metric("tollgate_operator_resources{") >= wanted, 300):
        raise TimeoutError(bench.release.logs())
    reconciled = time.monotonic() - started
    if not wait_for(lambda: bench.metric("tollgate_operator_status_writes_total") >= wanted, 600):
        raise TimeoutError(bench.release.logs())
    seconds = time.monotonic() - started
    for kind in ("API", "Product", "Subscription"):
        count = {"API": size.apis, "Product": size.products, "Subscription": size.subscriptions}[kind]
        if not wait_for(lambda kind=kind, count=count: bench.programmed(kind) == count, 60):  # type: ignore[misc]
            raise TimeoutError(f"{bench.programmed(kind)} of {count} {kind}s are programmed")
    cpu = sum(bench.operator().cpu_times()[:2])
    return {"until reconciled s": reconciled, "until all programmed s": seconds, "operator CPU s": cpu}


def rest(bench: Bench) -> dict[str, Any]:
    """What the operator does while nothing changes."""
    time.sleep(3)
    position, cpu = bench.position(), sum(bench.operator().cpu_times()[:2])
    time.sleep(_REST_SECONDS)
    spent = sum(bench.operator().cpu_times()[:2]) - cpu
    return {
        "requests": dict(bench.requests(position)),
        "CPU %": 100 * spent / _REST_SECONDS,
        "RSS MiB": bench.operator().memory_info().rss / 2**20,
    }


def run(directory: Path, size: Size, say: Callable[[str], None] = print) -> dict[str, Any]:
    """All figures."""
    figures: dict[str, Any] = {}
    with ApiServer(directory / "server", binaries(say)) as server:
        team = server.namespace("team")
        with Release(server, directory / "release", server.namespace("tollgate"), watch=(team,)) as release:
            release.wait_ready()
            bench = Bench(server, release, say)
            try:
                bench.stop_operator()
                made = documents(size)
                figures["objects created/s"] = len(made) / bench.create(made)
                say(f"{len(made)} objects created, {figures['objects created/s']:.0f}/s")
                figures["cold start"] = cold_start(bench, size)
                say(f"cold start {figures['cold start']}")
                figures["at rest"] = rest(bench)
                say(f"at rest {figures['at rest']}")
                figures["many"] = edits(bench, size, "many")
                say(f"{size.subscriptions} subscriptions: {figures['many']}")
                bench.stop_operator()
                bench.start_operator()
                started = time.monotonic()
                wait_for(lambda: bench.metric("tollgate_operator_leading") == 1, 60)
                figures["warm start, until it leads s"] = time.monotonic() - started
                figures["RSS after a restart MiB"] = rest(bench)["RSS MiB"]
                bench.delete("Subscription", [f"sub-{number}" for number in range(size.few, size.subscriptions)])
                wait_for(lambda: bench.metric('tollgate_operator_resources{kind="Subscription"') == size.few, 120)
                bench.wait_silent()  # finalizers go, and how many use a Product is written to it
                figures["few"] = edits(bench, size, "few")
                say(f"{size.few} subscriptions: {figures['few']}")
            finally:
                bench.close()
    return figures
