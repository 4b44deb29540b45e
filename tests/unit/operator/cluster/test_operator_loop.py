"""The loop goes on, whatever a single resource does to reconcile."""

import asyncio
from typing import Any
from unittest.mock import MagicMock

import pytest

from tests.unit.operator.cluster.objects import store_of
from tollgate_operator.cluster import operator as module
from tollgate_operator.cluster.metrics import Metrics
from tollgate_operator.cluster.operator import ClusterOperator


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

    parts: dict[str, Any] = {
        name: MagicMock()
        for name in ("client", "gateway", "cache", "publisher", "peers", "leadership", "writer", "keys", "memory")
    }
    operator = ClusterOperator(**parts, namespaces=(), store=store_of(), clock=MagicMock(), metrics=Metrics())
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
