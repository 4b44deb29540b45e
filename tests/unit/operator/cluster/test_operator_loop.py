"""The loop goes on, whatever a single resource does to reconcile."""

import asyncio
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock

import pytest
from aiohttp.test_utils import TestClient, TestServer

from tests.support.manifests import Document
from tests.unit.operator.cluster.objects import api, product, store_of, stored
from tests.unit.operator.test_reconcile import SETTINGS
from tollgate_operator.cluster import operator as module
from tollgate_operator.cluster.client import AwayError, ForbiddenError, KubernetesError, NotFoundError
from tollgate_operator.cluster.clock import system_clock
from tollgate_operator.cluster.http import health_application
from tollgate_operator.cluster.kinds import Kind
from tollgate_operator.cluster.lists import Lists as WholeLists
from tollgate_operator.cluster.liveness import Liveness
from tollgate_operator.cluster.metrics import Metrics
from tollgate_operator.cluster.operator import ClusterOperator
from tollgate_operator.control_loop import State, reconcile
from tollgate_operator.xds import SnapshotCache

PARTS = ("client", "gateway", "cache", "publisher", "peers", "leadership", "writer", "keys", "memory")


class NoPayments:
    """Nobody is to be paid."""

    accounts = None

    def changed(self) -> None:
        pass


def make_operator(**given: Any) -> ClusterOperator:
    parts: dict[str, Any] = dict.fromkeys(PARTS) | {"payments": NoPayments()} | given
    return ClusterOperator(**parts, namespaces=(), store=store_of(), clock=system_clock, metrics=Metrics())


async def test_a_reconcile_that_fails_is_tried_again_with_the_next_edit(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Any] = [OverflowError("a number that no message can hold"), "state"]

    def fail_once(*_: object) -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    published: list[Any] = []

    async def publish(state: Any) -> None:
        published.append(state)

    operator = make_operator()
    monkeypatch.setattr(module, "reconcile", fail_once)
    monkeypatch.setattr(operator, "_publish", publish)
    monkeypatch.setattr(operator, "_count", lambda _: None)
    operator.synced.set()
    loop = asyncio.create_task(operator._reconcile_changes())
    while answers:
        operator.on_change("content")
        await asyncio.sleep(0.02)
        assert not loop.done(), loop.exception()
    async with asyncio.timeout(5):
        while not published:
            await asyncio.sleep(0.01)
    loop.cancel()
    assert published == ["state"]
    assert b"tollgate_operator_reconcile_failures_total 1.0" in operator._metrics.text()


class Lists:
    """Answers every kind with nothing, but ``refused`` with an error."""

    def __init__(self, refused: str, error: KubernetesError) -> None:
        self.refused, self.error = refused, error

    async def list(self, kind: Kind, namespace: str | None, trim: object = None) -> tuple[list[Any], int]:
        del namespace, trim
        if kind.kind == self.refused:
            raise self.error
        return [], 1


async def nothing() -> dict[Any, Any]:
    return {}


@pytest.mark.parametrize(
    ("kind", "error", "synced"),
    [
        ("Secret", ForbiddenError("RBAC: clusterrole not found"), False),
        ("Service", ForbiddenError("RBAC: clusterrole not found"), False),
        ("API", NotFoundError("no such kind"), False),
        ("ReferenceGrant", NotFoundError("no such kind"), True),
    ],
)
async def test_nothing_is_taken_for_missing_that_could_not_be_listed(
    kind: str, error: KubernetesError, synced: bool
) -> None:
    """Else every API whose Secret may not be read for a moment would go from all Envoys."""
    operator = make_operator(client=Lists(kind, error), memory=SimpleNamespace(read=nothing))
    listing = asyncio.create_task(operator._list_again_and_again())
    await asyncio.sleep(0.05)
    listing.cancel()
    assert operator.synced.is_set() is synced


class Namespaces:
    """Lists Products of the namespaces that are there, to who has the right; ``late`` have none yet."""

    def __init__(self, *there: str) -> None:
        self.there, self.late = set(there), set[str]()

    async def list(self, kind: Kind, namespace: str, trim: object = None) -> tuple[list[Any], int]:
        del trim
        if namespace not in self.there or namespace in self.late:
            raise ForbiddenError(namespace)
        return [product("p", namespace=namespace)] if kind.kind == "Product" else [], 5

    async def get(self, kind: Kind, name: str) -> Document:
        assert kind.kind == "Namespace"
        if name not in self.there:
            raise NotFoundError(name)
        return {"metadata": {"name": name}}


async def test_only_a_namespace_that_is_certainly_gone_is_gone_on_without() -> None:
    client, store = Namespaces("a", "b"), store_of()
    lists = WholeLists(client, store, ("a", "b"), lambda _: None)  # type: ignore[arg-type]  # pyright: ignore
    client.late.add("b")
    with pytest.raises(ForbiddenError):
        await lists.all()
    assert not lists.missing
    client.there.discard("b")
    await lists.all()
    assert (lists.missing, lists.present, [o.namespace for o in store]) == (frozenset({"b"}), ("a",), ["a"])
    client.there.add("b")
    await lists.look_for_missing()  # its rights are late, as at every install
    assert lists.missing == {"b"}
    client.late.clear()
    lists.moved.clear()
    await lists.look_for_missing()
    assert (lists.missing, [o.namespace for o in store], lists.moved.is_set()) == (frozenset(), ["a", "b"], True)
    lists.moved.clear()
    await lists.all()
    assert not lists.moved.is_set()
    client.there.discard("b")
    await lists.all()
    assert (lists.missing, [o.namespace for o in store], lists.moved.is_set()) == (frozenset({"b"}), ["a"], True)


class Flaky:
    """A publisher whose first answer is a bug."""

    def __init__(self) -> None:
        self.answered, self.asked = True, 0

    async def offer(self, state: Any, *, write: bool) -> bool:
        del state, write
        self.asked += 1
        if self.asked == 1:
            raise ZeroDivisionError
        return True


async def test_a_publication_that_fails_is_said_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RETRY_SECONDS", 0.01)
    cache = SnapshotCache()
    operator = make_operator(publisher=Flaky(), cache=cache, leadership=SimpleNamespace(leads=True))
    state = reconcile(store_of(api("a")).loaded(), None, SETTINGS)
    async with asyncio.timeout(5):
        await operator._publish_at_last(state)
    assert cache.current is not None
    assert b"tollgate_operator_publish_failures_total 1.0" in operator._metrics.text()


class Away:
    """An API server that answers ``get`` with what is there, once it is back."""

    def __init__(self, **secrets: Document) -> None:
        self.secrets, self.back = secrets, asyncio.Event()

    async def get(self, kind: Kind, name: str, namespace: str) -> Document:
        del kind, namespace
        if not self.back.is_set():
            raise AwayError("away")
        return self.secrets[name]


async def test_a_secret_that_cannot_be_read_yet_is_not_taken_for_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RETRY_SECONDS", 0.01)
    reconciled: list[State] = []
    secret = stored({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"k": "sk-1"}}, 5)
    wanting = api("a")
    wanting["spec"] = {**wanting["spec"], "credential": {"secretKeyRef": {"name": "s", "key": "k"}, "header": "x"}}
    client = Away(s=secret)
    operator = make_operator(client=client, gateway=SETTINGS)
    monkeypatch.setattr(operator, "_count", reconciled.append)
    monkeypatch.setattr(operator, "_publish", AsyncMock())
    operator.observe("ADDED", secret)
    operator.observe("ADDED", wanting)
    operator.synced.set()
    loop = asyncio.create_task(operator._reconcile_changes())
    await asyncio.sleep(0.2)
    assert reconciled == []
    client.back.set()
    async with asyncio.timeout(5):
        while not reconciled:
            await asyncio.sleep(0.01)
    loop.cancel()
    assert {state.statuses["API", "a"].serving for state in reconciled} == {"current"}


async def test_probes_say_what_is_stuck_and_which_namespace_is_not_there() -> None:
    now = 100.0
    liveness, notes, problems = Liveness(lambda: now), ["namespace n is not there"], ["no Redis"]
    health = SimpleNamespace(liveness=liveness, problems=lambda: problems, notes=lambda: notes)
    async with TestClient(TestServer(health_application(health, Metrics()))) as probes:

        async def get(path: str) -> tuple[int, str]:
            answer = await probes.get(path)
            return answer.status, await answer.text()

        assert await get("/readyz") == (503, "no Redis\nnamespace n is not there\n")
        problems.clear()
        assert await get("/readyz") == (200, "ok\nnamespace n is not there\n")
        with liveness.at_most("reconcile", 60):
            liveness.beat("watches", 90)
            now += 80
            assert await get("/healthz") == (503, "reconcile: no sign of life for 20 s longer than usual\n")
        assert await get("/healthz") == (200, "ok\n")
        now += 20
        assert (await get("/healthz"))[0] == 503
        liveness.beat("watches", 90)
        assert (await get("/healthz"))[0] == 200
