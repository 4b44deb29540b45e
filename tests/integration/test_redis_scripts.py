"""The admission and settlement scripts on a real Valkey: idempotent, all or nothing, robust to clocks that differ."""

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from msgspec import structs

from tollgate_cli.laptop.locate import find_valkey
from tollgate_cli.laptop.system import wait_for
from tollgate_core.redis_contract import (
    AdmitRequest,
    CounterUse,
    Keys,
    Limit,
    SettleRequest,
    partition_of,
    script_source,
)

NAME = "acme"
PARTITION = partition_of(NAME)
#: The server expires keys by its own clock.
#: A day ahead: nothing that the scripts let expire is gone by Redis's own clock, however late the test runs.
NOW = time.time_ns() // 1_000_000 + 86_400_000
COUNTER = Keys.counter(NAME, "tokens", 0)
RATE = Keys.rate(NAME, "rpm")


@pytest.fixture(scope="module")
def server() -> Iterator["redis.Redis"]:
    with tempfile.TemporaryDirectory() as directory:
        path = str(Path(directory) / "s")
        command = [str(find_valkey(None)), "--port", "0", "--unixsocket", path, "--save", "", "--dir", directory]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        client = redis.Redis.from_url(f"unix://{path}")
        try:
            assert wait_for(lambda: Path(path).exists() and bool(client.ping()), 10)
            yield client
        finally:
            client.close()
            process.terminate()
            process.wait()


@pytest.fixture
def valkey(server: "redis.Redis") -> "redis.Redis":
    server.flushall()
    server.set(Keys.ready(PARTITION), "x")
    server.hset(Keys.subscription(NAME), mapping={"revision": "1", "state": "active", "key:h": "0"})
    return server


def counter(limit: float, cost: float) -> Limit:
    return Limit(
        kind="counter", name="tokens", key=COUNTER, limit=limit, cost=cost, ends=NOW + 600_000, metric="tokens"
    )


def rate(limit: float, per_ms: float, cost: float = 1) -> Limit:
    return Limit(kind="rate", name="rpm", key=RATE, limit=limit, cost=cost, rate=per_ms)


def admit(valkey: "redis.Redis", request: str, *limits: Limit, now: int = NOW, **changes: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {"key_hash": "h", "revision": "1", "granted": True, **changes}
    call = AdmitRequest(
        now_ms=now,
        deadline_ms=now + 600_000,
        request=request,
        partition=PARTITION,
        subscription=NAME,
        admission="[]",
        limits=limits,
        **fields,
    )
    found: Any = valkey.register_script(script_source("admit"))(keys=call.keys(), args=call.args())
    answer: dict[str, Any] = json.loads(found)
    return answer


def settle(valkey: "redis.Redis", request: str, quantity: float = 0, **changes: Any) -> tuple[str, bytes]:
    use = CounterUse(key=COUNTER, metric="tokens", quantity=quantity, expires=NOW + 10**12)
    fields: dict[str, Any] = {"final": True, "event": b"{}", **changes}
    call = SettleRequest(
        request=request, partition=PARTITION, admission="[]", counters=(use,) if quantity else (), **fields
    )
    found: Any = valkey.register_script(script_source("settle"))(keys=call.keys(), args=call.args())
    return bytes(found[0]).decode(), bytes(found[1])


def numbers(valkey: "redis.Redis", key: str) -> dict[str, float]:
    found: Any = valkey.hgetall(key)
    return {bytes(name).decode(): float(value) for name, value in found.items()}


def test_the_same_admission_again_holds_once(valkey: "redis.Redis") -> None:
    for _ in range(3):
        assert admit(valkey, "r1", counter(100, 60))["verdict"] == "admitted"
    assert numbers(valkey, COUNTER)["held"] == 60
    assert settle(valkey, "r1", 10)[0] == "settled"
    assert numbers(valkey, COUNTER) == {"held": 0, "used": 10}


def test_a_refusal_by_one_limit_changes_none(valkey: "redis.Redis") -> None:
    verdict = admit(valkey, "r1", rate(5, 0.001), counter(10, 60))
    assert (verdict["verdict"], verdict["limit"]) == ("limit", 2)
    assert set(valkey.keys("*rate*")) | set(valkey.keys("*counter*")) | set(valkey.keys("*hold*")) == set()


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [({"key_hash": "other"}, "unknown_key"), ({"revision": "2"}, "stale"), ({"granted": False}, "endpoint")],
)
def test_refusals_in_their_order(valkey: "redis.Redis", changes: dict[str, Any], verdict: str) -> None:
    assert admit(valkey, "r1", **changes)["verdict"] == verdict
    valkey.hset(Keys.subscription(NAME), "state", "suspended")
    assert admit(valkey, "r1", **changes)["verdict"] == (verdict if verdict != "endpoint" else "state")
    valkey.delete(Keys.ready(PARTITION))
    assert admit(valkey, "r1", **changes)["verdict"] == "cold"


def test_an_expired_key_is_unknown(valkey: "redis.Redis") -> None:
    valkey.hset(Keys.subscription(NAME), "key:h", NOW)
    assert admit(valkey, "r1", now=NOW)["verdict"] == "unknown_key"
    assert admit(valkey, "r1", now=NOW - 1)["verdict"] == "admitted"


def test_a_limit_that_is_used_up_refuses_also_what_costs_nothing(valkey: "redis.Redis") -> None:
    assert admit(valkey, "r1", counter(10, 10))["verdict"] == "admitted"
    assert admit(valkey, "r2", counter(10, 0))["verdict"] == "limit"


def test_clocks_that_differ_do_not_make_a_rate_limit_larger(valkey: "redis.Redis") -> None:
    """100 a second, two gates 50 ms apart, 200 a second for ten seconds: 1,000 and the first 100 get in."""
    admitted = 0
    for number in range(2000):
        now = NOW + number * 5 + (50 if number % 2 else 0)
        admitted += admit(valkey, f"r{number}", rate(100, 0.1), now=now)["verdict"] == "admitted"
    assert 1050 <= admitted <= 1110


def test_a_settlement_counts_once_and_releases_all(valkey: "redis.Redis") -> None:
    in_flight = Limit(kind="concurrency", name="c", key=Keys.in_flight(NAME, "c"), limit=1, cost=1)
    admit(valkey, "r1", counter(100, 60), in_flight)
    assert admit(valkey, "r2", in_flight)["verdict"] == "limit"
    assert [settle(valkey, "r1", 7)[0] for _ in range(3)] == ["settled", "duplicate", "duplicate"]
    assert numbers(valkey, COUNTER) == {"held": 0, "used": 7}
    assert admit(valkey, "r2", in_flight)["verdict"] == "admitted"
    assert valkey.xlen(Keys.events(PARTITION)) == 1


def test_a_hold_that_came_back_is_released_without_another_event(valkey: "redis.Redis") -> None:
    admit(valkey, "r1", counter(100, 60))
    assert settle(valkey, "r1", release_only=True)[0] == "open"
    assert numbers(valkey, COUNTER)["held"] == 60
    valkey.set(Keys.settled(PARTITION, "r1"), "confirmed")
    assert settle(valkey, "r1", release_only=True)[0] == "duplicate"
    assert numbers(valkey, COUNTER)["held"] == 0
    assert (valkey.zcard(Keys.holds(PARTITION)), valkey.xlen(Keys.events(PARTITION))) == (0, 0)


def test_token_buckets_take_what_was_used_instead_of_the_estimate(valkey: "redis.Redis") -> None:
    tokens = Limit(kind="rate", name="rpm", key=RATE, limit=100, cost=80, rate=0.0001, tokens=True)
    admit(valkey, "r1", tokens)
    settle(valkey, "r1", tokens=30)
    assert numbers(valkey, RATE)["level"] == pytest.approx(70)


def test_a_provisional_word_waits_for_the_log_s(valkey: "redis.Redis") -> None:
    admit(valkey, "r1", counter(100, 60))
    assert settle(valkey, "r1", final=False, event=b"meter", deadline_ms=NOW + 5)[0] == "provisional"
    assert valkey.zscore(Keys.holds(PARTITION), "r1") == NOW + 5
    assert settle(valkey, "r1", event=b"log") == ("join", b"meter")
    assert settle(valkey, "r1", event=b"joined", joined=True)[0] == "settled"
    assert settle(valkey, "r1", final=False, event=b"meter")[0] == "duplicate"


def test_a_counter_that_is_gone_is_not_made_again_by_a_release(valkey: "redis.Redis") -> None:
    admit(valkey, "r1", counter(100, 60))
    valkey.delete(COUNTER)
    settle(valkey, "r1")
    assert not valkey.exists(COUNTER)


def test_all_keys_of_a_subscription_s_traffic_expire_but_those_that_wait(valkey: "redis.Redis") -> None:
    admit(valkey, "r1", counter(100, 60), rate(5, 0.001))
    settle(valkey, "r1", 7)
    keys: Any = valkey.keys("*")
    forever = {bytes(key).decode() for key in keys if valkey.ttl(key) == -1}
    kept = {Keys.ready(PARTITION), Keys.subscription(NAME), Keys.settled(PARTITION, "r1"), Keys.events(PARTITION)}
    assert forever == kept


def test_a_soft_limit_refuses_nothing_and_counts_all(valkey: "redis.Redis") -> None:
    soft = structs.replace(counter(10, 8), soft=True)
    for number, left in enumerate((2, -6, -14)):
        answer = admit(valkey, f"r{number}", soft)
        assert (answer["verdict"], answer["limits"][0]["remaining"]) == ("admitted", left)
    assert admit(valkey, "hard", counter(10, 1))["verdict"] == "limit"
    for number in range(3):
        settle(valkey, f"r{number}", 5)
    assert numbers(valkey, COUNTER) == {"used": 15, "held": 0}


def test_a_refusal_tells_how_every_limit_stands(valkey: "redis.Redis") -> None:
    admit(valkey, "first", rate(5, 0.001), counter(10, 8))
    answer = admit(valkey, "second", rate(5, 0.001), counter(10, 8))
    assert (answer["verdict"], answer["limit"], answer["remaining"]) == ("limit", 2, 2)
    assert [limit["remaining"] for limit in answer["limits"]] == [4, 2]


def test_the_rounding_of_fractions_refuses_nothing_and_whole_units_are_exact(valkey: "redis.Redis") -> None:
    for number in range(10):
        assert admit(valkey, f"r{number}", counter(1, 0.1))["verdict"] == "admitted"
    assert admit(valkey, "one more", counter(1, 1e-9))["verdict"] == "limit"
    valkey.hset(COUNTER, mapping={"used": 10**13 - 1, "held": 0})
    assert admit(valkey, "last", counter(10**13, 1))["verdict"] == "admitted"
    assert admit(valkey, "beyond", counter(10**13, 1))["verdict"] == "limit"
