"""Who writes: one at a time, and another one soon after it is gone."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lightkube import AsyncClient, KubeConfig
from lightkube.config.models import Cluster, User

from tests.unit.operator.cluster.lease_server import LeaseServer
from tollgate_operator.cluster.client import KubernetesClient
from tollgate_operator.cluster.clock import microtime
from tollgate_operator.cluster.leadership import DURATION_SECONDS, Leadership, may_take

START = datetime(2026, 11, 22, 10, tzinfo=UTC)


@dataclass
class Clock:
    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def monotonic(self) -> float:
        return (self.now - START).total_seconds()

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class Replicas:
    server: LeaseServer
    client: KubernetesClient
    clock: Clock = field(default_factory=Clock)

    def replica(self, name: str, wrong_by: timedelta = timedelta()) -> Leadership:
        """Its time of day may be wrong; nobody's seconds are longer than another's."""
        time_of_day = lambda: self.clock() + wrong_by  # noqa: E731
        return Leadership(self.client, "ns", "lease", name, [], time_of_day, self.clock.monotonic)


@asynccontextmanager
async def serving() -> AsyncGenerator[Replicas]:
    server = LeaseServer()
    async with server.serve() as listening:
        cluster, user = Cluster(server=str(listening.make_url("")).rstrip("/")), User(token="t")
        client = KubernetesClient(AsyncClient(KubeConfig.from_one(cluster=cluster, user=user, namespace="ns")))
        yield Replicas(server, client)
        await client.close()


@pytest.fixture
async def replicas() -> AsyncIterator[Replicas]:
    async with serving() as made:
        yield made


def lease(holder: str | None = "other", renewed: datetime | None = START, **fields: Any) -> dict[str, Any]:
    return {"holderIdentity": holder, "renewTime": renewed and microtime(renewed), "leaseDurationSeconds": 10, **fields}


@pytest.mark.parametrize(
    ("spec", "seconds", "taken"),
    [
        ({}, 0, True),
        (lease("me"), 0, True),
        (lease(""), 0, True),
        (lease(None), 0, True),
        (lease(), 0, False),
        (lease(), 10, False),
        (lease(), 10.5, True),
        (lease(leaseDurationSeconds=60), 59, False),
        (lease(renewed=None), 0, False),
        ({"holderIdentity": "other", "renewTime": "2026-11-22T10:00:00Z"}, DURATION_SECONDS, False),
    ],
)
def test_a_lease_may_be_taken_when_it_is_ours_free_or_seen_unchanged(spec: Any, seconds: float, taken: bool) -> None:
    assert may_take(spec, "me", seconds) is taken


@pytest.mark.parametrize("wrong_by", [timedelta(hours=-1), timedelta(hours=1)])
async def test_a_wrong_clock_makes_nobody_leader_and_keeps_nobody_from_it(
    replicas: Replicas, wrong_by: timedelta
) -> None:
    first, second = replicas.replica("first", wrong_by), replicas.replica("second")
    for _ in range(8):
        await first.step()
        await second.step()
        assert (first.leads, second.leads) == (True, False)
        replicas.clock.advance(3)
    replicas.clock.advance(DURATION_SECONDS)  # the first is gone
    await second.step()
    assert (first.leads, second.leads) == (False, True)


async def test_one_that_starts_looks_for_the_whole_duration_before_it_takes_over(replicas: Replicas) -> None:
    """However old the Lease says that it is."""
    await replicas.replica("first", timedelta(days=-1)).step()
    second = replicas.replica("second")
    await second.step()
    replicas.clock.advance(DURATION_SECONDS)
    await second.step()
    assert not second.leads
    replicas.clock.advance(0.1)
    await second.step()
    assert second.leads


async def test_the_first_leads_and_the_second_follows(replicas: Replicas) -> None:
    first, second = replicas.replica("first"), replicas.replica("second")
    await first.step()
    await second.step()
    assert (first.leads, second.leads) == (True, False)
    assert first.changed.is_set()
    assert not second.changed.is_set()
    assert replicas.server.spec()["leaseTransitions"] == 1


async def test_a_leader_that_renews_keeps_its_lease_and_when_it_got_it(replicas: Replicas) -> None:
    first, second = replicas.replica("first"), replicas.replica("second")
    for _ in range(10):
        await first.step()
        await second.step()
        replicas.clock.advance(3)
    spec = replicas.server.spec()
    assert (spec["holderIdentity"], spec["leaseTransitions"], spec["acquireTime"]) == ("first", 1, microtime(START))
    assert not second.leads


async def test_a_leader_that_is_gone_is_followed_by_another(replicas: Replicas) -> None:
    first, second = replicas.replica("first"), replicas.replica("second")
    await first.step()
    await second.step()
    replicas.clock.advance(DURATION_SECONDS)
    await second.step()
    assert not second.leads
    replicas.clock.advance(0.1)
    await second.step()
    assert (first.leads, second.leads) == (False, True)
    await first.step()
    assert not first.leads
    assert replicas.server.spec()["leaseTransitions"] == 2


async def test_who_cannot_renew_stops_before_another_may_begin(replicas: Replicas) -> None:
    first = replicas.replica("first")
    await first.step()
    first.changed.clear()
    replicas.server.away = True
    while first.leads:
        assert not may_take(replicas.server.spec(), "second", replicas.clock.monotonic() + 2)
        replicas.clock.advance(0.5)
    # It ended between two rounds; that is said all the same.
    await first.step()
    assert first.changed.is_set()


async def test_one_that_lets_go_is_followed_at_once(replicas: Replicas) -> None:
    first, second = replicas.replica("first"), replicas.replica("second")
    await first.step()
    await first.release()
    await second.step()
    assert (first.leads, second.leads) == (False, True)
    await first.release()  # not its own any more
    assert replicas.server.spec()["holderIdentity"] == "second"


async def test_of_two_that_take_it_at_once_one_leads(replicas: Replicas) -> None:
    first = replicas.replica("first")
    await first.step()
    others = [replicas.replica(f"other-{n}") for n in range(5)]
    for other in others:
        await other.step()
    replicas.clock.advance(60)
    await asyncio.gather(*(other.step() for other in others))
    assert [other.leads for other in others].count(True) == 1
    holder = replicas.server.spec()["holderIdentity"]
    assert [f"other-{n}" for n, other in enumerate(others) if other.leads] == [holder]


async def test_a_lease_that_was_deleted_is_made_again(replicas: Replicas) -> None:
    first = replicas.replica("first")
    await first.step()
    replicas.server.leases.clear()
    replicas.clock.advance(3)
    await first.step()
    assert first.leads


STEPS = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c", "server"]), st.floats(0, 6)), min_size=1, max_size=25
)  # who asks (or: the API server goes or comes), after how long


@settings(deadline=None, max_examples=40)
@given(STEPS)
async def test_never_do_two_lead(steps: list[tuple[str, float]]) -> None:
    async with serving() as made:
        members = {name: made.replica(name, timedelta(hours=n - 1)) for n, name in enumerate("abc")}
        for who, seconds in steps:
            made.clock.advance(seconds)
            if who == "server":
                made.server.away = not made.server.away
            else:
                await members[who].step()
            assert [m.leads for m in members.values()].count(True) <= 1
