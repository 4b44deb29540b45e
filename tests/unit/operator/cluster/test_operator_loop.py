"""The loop goes on, whatever a single resource does to reconcile."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from tests.unit.operator.cluster.objects import store_of
from tollgate_operator.cluster import operator as module
from tollgate_operator.cluster.client import ForbiddenError, KubernetesError, NotFoundError
from tollgate_operator.cluster.clock import system_clock
from tollgate_operator.cluster.kinds import Kind
from tollgate_operator.cluster.metrics import Metrics
from tollgate_operator.cluster.operator import ClusterOperator

PARTS = ("client", "gateway", "cache", "publisher", "peers", "leadership", "writer", "keys", "memory")


def make_operator(**given: Any) -> ClusterOperator:
    parts: dict[str, Any] = dict.fromkeys(PARTS) | given
    return ClusterOperator(**parts, namespaces=(), store=store_of(), clock=system_clock, metrics=Metrics())


async def test_a_reconcile_that_fails_is_tried_again_with_the_next_edit(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Any] = [OverflowError("a number that no message can hold"), "state"]

    def reconcile(*_: object) -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    published: list[Any] = []

    async def publish(state: Any) -> None:
        published.append(state)

    operator = make_operator()
    monkeypatch.setattr(module, "reconcile", reconcile)
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

    async def list(self, kind: Kind, namespace: str | None) -> tuple[list[Any], int]:
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
