"""Up to where each node's log was read: what is gone for long is forgotten, and nothing is settled too early."""

from collections.abc import AsyncIterator, Iterator
from typing import Any, cast

import pytest
from redis.asyncio import Redis

from tests.integration.billing.neighbours import Valkey
from tollgate_core.redis_contract import Keys
from tollgate_extproc.witness.sweep import Sweeper

HOUR = 3_600_000
NOW = 1_000 * HOUR


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    running = Valkey(tmp_path_factory.mktemp("valkey"))
    yield running
    running.stop()


@pytest.fixture
async def redis(valkey: Valkey) -> AsyncIterator["Redis"]:
    valkey.client.flushall()
    client = Redis.from_url(valkey.url)  # pyright: ignore[reportUnknownMemberType]
    yield client
    await client.aclose()


def sweeper(redis: "Redis") -> Sweeper:
    return Sweeper(redis, cast("Any", None), cast("Any", None), lambda: NOW)


async def marks(redis: "Redis") -> set[Any]:
    return set(await redis.hgetall(Keys.WATERMARKS))


async def test_a_node_that_is_gone_for_a_day_is_forgotten(redis: "Redis") -> None:
    witness = sweeper(redis)
    await witness.publish("gone", NOW - 24 * HOUR)
    await witness.publish("silent", NOW - 23 * HOUR)
    await witness.publish("here", NOW - 2000)
    await witness.sweep()
    assert await marks(redis) == {b"silent", b"here"}
    await witness.publish("gone", NOW - 1000)
    await witness.sweep()
    assert await marks(redis) == {b"gone", b"silent", b"here"}


@pytest.mark.parametrize("look", [1, 2])
async def test_a_node_that_has_just_caught_up_is_not_forgotten(redis: "Redis", valkey: Valkey, look: int) -> None:
    """Its mark comes after the first or the second look at all of them."""
    looks = 0

    class Publishing(Redis):
        async def hgetall(self, name: str) -> Any:  # type: ignore[override]
            nonlocal looks
            looks += 1
            found = await super().hgetall(name)
            if looks == look:
                valkey.client.hset(Keys.WATERMARKS, "late", str(NOW - 1000))
            return found

    late = Publishing.from_url(valkey.url)  # pyright: ignore[reportUnknownMemberType]
    await sweeper(redis).publish("late", NOW - 30 * HOUR)
    await sweeper(late).sweep()
    await late.aclose()
    assert await redis.hget(Keys.WATERMARKS, "late") == str(NOW - 1000).encode()
