"""Keys are stable, stored keys are useless without the pepper, and what one script touches shares a hash tag."""

import os
import re

from hypothesis import given
from hypothesis import strategies as st

from tollgate_core.api_keys import is_well_formed, make_api_key
from tollgate_core.redis_contract import PARTITIONS, AdmitRequest, Keys, Limit, SettleRequest, key_hash, partition_of


def tag(key: str) -> str:
    match = re.search(r"\{(p\d+)\}", key)
    assert match, key
    return match[1]


@given(st.text(min_size=1, max_size=60))
def test_every_key_of_a_script_has_one_hash_tag(subscription: str) -> None:
    partition = partition_of(subscription)
    limits = (
        Limit(kind="rate", name="r", key=Keys.rate(subscription, "r"), limit=1, cost=1),
        Limit(kind="counter", name="c", key=Keys.counter(subscription, "m", 0), limit=1, cost=1),
        Limit(kind="concurrency", name="f", key=Keys.in_flight(subscription, "f"), limit=1, cost=1),
    )
    admit = AdmitRequest(
        now_ms=1,
        deadline_ms=2,
        request="id",
        partition=partition,
        subscription=subscription,
        key_hash="h",
        revision="1",
        granted=True,
        admission="",
        limits=limits,
    )
    settle = SettleRequest(request="id", partition=partition, event=b"", final=True, admission="")
    assert {tag(key) for key in (*admit.keys(), *settle.keys())} == {f"p{partition}"}
    assert 0 <= partition < PARTITIONS


def test_partitions_never_change() -> None:
    assert [partition_of(name) for name in ("acme", "beta", "ns/x")] == [6, 3, 6]


def test_keys_check_themselves() -> None:
    key = make_api_key(os.urandom(24))
    assert is_well_formed(key)
    assert not is_well_formed(key[:-1] + ("a" if key[-1] != "a" else "b"))
    assert not is_well_formed(key.replace("tg_live_", "sk_live_"))
    assert key_hash(b"one", key) != key_hash(b"two", key)
    assert key not in key_hash(b"one", key)
