"""Redis filled from SQL: at start, after changes, after losses."""

import json

import pytest

from tests.integration.billing.conftest import Clock
from tests.integration.billing.neighbours import Valkey
from tests.integration.billing.test_ingest import drain, tokens
from tests.unit.billing.builders import ANCHOR_MS, NOW_MS, SUBSCRIPTION, make_catalog, make_event
from tollgate_billing.ledger.subscriptions import revisions
from tollgate_billing.main import Billing
from tollgate_core import catalog as c
from tollgate_core.redis_contract import PARTITIONS, CounterUse, Keys, SettleRequest, partition_of, script_source

PARTITION = partition_of(SUBSCRIPTION)
COUNTER = Keys.counter(SUBSCRIPTION, "tokens", ANCHOR_MS)


def subscription_hash(valkey: Valkey) -> dict[str, str]:
    return {k.decode(): v.decode() for k, v in valkey.client.hgetall(Keys.subscription(SUBSCRIPTION)).items()}


def used(valkey: Valkey) -> float:
    return float(valkey.client.hget(COUNTER, "used") or 0)


def settle(valkey: Valkey, event_id: str, quantity: str) -> None:
    """As the meter does it, with the contract's own script."""
    use = CounterUse(key=COUNTER, metric="tokens", quantity=float(quantity), expires=ANCHOR_MS + 10**12)
    request = SettleRequest(
        request=event_id,
        partition=PARTITION,
        event=make_event(event_id, quantity).encode(),
        final=True,
        admission="",
        counters=(use,),
    )
    keys = request.keys()
    valkey.client.eval(script_source("settle"), len(keys), *keys, *request.args())


def test_what_the_gate_reads(billing: Billing, valkey: Valkey) -> None:
    assert valkey.is_ready()
    made = billing.services.keys.create(SUBSCRIPTION, 2, "", NOW_MS + 1000)
    found = subscription_hash(valkey)
    assert json.loads(found["record"]) == {
        "subscription": SUBSCRIPTION,
        "product": "pro",
        "customer": "acme",
        "anchor_ms": ANCHOR_MS,
        "time_zone": "UTC",
    }
    with billing.database.read() as connection:
        assert found["revision"] == str(revisions(connection)[SUBSCRIPTION])
    assert found["state"] == "active"
    assert found[f"key:{made.stored.hash}"] == str(NOW_MS + 1000)
    assert valkey.client.get(Keys.api_key(made.stored.hash)) == SUBSCRIPTION.encode()
    assert made.plaintext not in str(valkey.client.hgetall(Keys.subscription(SUBSCRIPTION)))


def test_changes_of_the_catalog_are_pushed(billing: Billing, valkey: Valkey) -> None:
    (declared,) = make_catalog().subscriptions
    for changed, state in (
        (c.Subscription(name=SUBSCRIPTION, product="pro", customer="acme", suspended=True), "suspended"),
        (None, "cancelled"),
        (declared, "active"),
    ):
        valkey.publish(make_catalog(subscriptions=(changed,) if changed else ()))
        billing.keeper.tick()
        assert subscription_hash(valkey)["state"] == state
        with billing.database.read() as connection:
            assert subscription_hash(valkey)["revision"] == str(revisions(connection)[SUBSCRIPTION])


def test_a_catalog_that_cannot_be_read_changes_nothing(billing: Billing, valkey: Valkey) -> None:
    valkey.client.hset(Keys.CATALOG, mapping={"hash": "bad", "json": b"{]"})
    assert billing.keeper.tick()
    assert billing.catalog.current == make_catalog()
    valkey.publish(make_catalog(prices=()))
    billing.keeper.tick()
    assert billing.catalog.current.prices == ()


def test_an_expired_key_is_not_pushed_again(billing: Billing, valkey: Valkey, clock: Clock) -> None:
    made = billing.services.keys.create(SUBSCRIPTION, 2, "", NOW_MS + 1000)
    clock.now_ms += 1001
    billing.services.keys.create(SUBSCRIPTION, 1, "", None)
    assert f"key:{made.stored.hash}" not in subscription_hash(valkey)
    assert valkey.client.get(Keys.api_key(made.stored.hash)) is None


def test_a_late_writer_does_not_bring_a_revoked_key_back(billing: Billing, valkey: Valkey) -> None:
    from tollgate_billing.hydration.subscriptions import SubscriptionPusher  # noqa: PLC0415

    pusher = SubscriptionPusher(billing.database, billing.link, lambda: NOW_MS)
    made = billing.services.keys.create(SUBSCRIPTION, 2, "", None)
    stale = pusher.load([SUBSCRIPTION]).images
    billing.services.keys.revoke(SUBSCRIPTION, made.stored.id)
    pusher.push(stale)
    assert f"key:{made.stored.hash}" not in subscription_hash(valkey)


def test_everything_comes_back_after_a_loss(billing: Billing, valkey: Valkey) -> None:
    made = billing.services.keys.create(SUBSCRIPTION, 2, "", None)
    settle(valkey, "a", "5")
    settle(valkey, "b", "6.5")
    drain(billing)
    before = subscription_hash(valkey)
    assert used(valkey) == 11.5
    valkey.client.flushall()
    valkey.publish(make_catalog())
    settle(valkey, "c", "100")  # a publisher is quicker than we are
    assert not billing.keeper.tick()  # its event is still on the way: not ready
    assert not valkey.client.exists(Keys.ready(PARTITION))
    drain(billing)
    assert billing.keeper.tick()
    assert subscription_hash(valkey) == before
    assert valkey.client.get(Keys.api_key(made.stored.hash)) == SUBSCRIPTION.encode()
    assert used(valkey) == 111.5
    settle(valkey, "b", "6.5")  # its publisher had missed the confirmation
    drain(billing)
    assert used(valkey) == 111.5
    assert tokens(billing) == 111
    assert valkey.is_ready()
    assert billing.keeper.is_warm


def test_a_loss_while_filling_begins_again(billing: Billing, valkey: Valkey) -> None:
    valkey.client.flushall()
    settle(valkey, "a", "5")
    assert not billing.keeper.tick()
    valkey.client.flushall()
    while not billing.keeper.tick():
        drain(billing)
    assert subscription_hash(valkey)["state"] == "active"
    assert valkey.is_ready()


def test_a_partition_waits_only_so_long(billing: Billing, valkey: Valkey, clock: Clock) -> None:
    settle(valkey, "a", "5")
    drain(billing)
    valkey.client.flushall()
    settle(valkey, "stuck", "100")
    assert not billing.keeper.tick()
    clock.now_ms += 10_001
    assert billing.keeper.tick()
    assert used(valkey) == 100


def test_counters_are_raised_where_redis_lost_a_little(billing: Billing, valkey: Valkey) -> None:
    settle(valkey, "a", "5")
    drain(billing)
    valkey.client.hset(COUNTER, "used", "2")
    billing.keeper._servers = frozenset({"another process"})
    assert billing.keeper.tick()
    assert used(valkey) == 5
    valkey.client.hset(COUNTER, "used", "7")
    billing.keeper._servers = frozenset({"another process"})
    assert billing.keeper.tick()
    assert used(valkey) == 7


def test_only_usage_of_the_current_period_is_restored(billing: Billing, valkey: Valkey, clock: Clock) -> None:
    settle(valkey, "a", "5")
    drain(billing)
    clock.now_ms = ANCHOR_MS + 28 * 86_400_000
    valkey.append(make_event("b", "3", at_ms=clock.now_ms))
    drain(billing)
    valkey.client.flushall()
    while not billing.keeper.tick():
        drain(billing)
    assert float(valkey.client.hget(Keys.counter(SUBSCRIPTION, "tokens", clock.now_ms), "used")) == 3
    assert not valkey.client.exists(COUNTER)


def test_a_new_limit_counts_what_was_used_before(billing: Billing, valkey: Valkey) -> None:
    valkey.append(make_event("a", "5"))
    drain(billing)
    (product,) = make_catalog().products
    limits = (*product.limits, c.MetricLimit(metric="calls", limit=10, interval="day"))
    valkey.publish(make_catalog(products=(c.Product(name="pro", version="2", endpoints=(), limits=limits),)))
    billing.keeper.tick()
    assert float(valkey.client.hget(Keys.counter(SUBSCRIPTION, "calls", ANCHOR_MS), "used")) == 1


@pytest.mark.parametrize("partition", range(PARTITIONS))
def test_one_missing_partition_is_noticed(billing: Billing, valkey: Valkey, partition: int) -> None:
    valkey.client.delete(Keys.ready(partition))
    assert billing.keeper.tick()
    assert valkey.is_ready()
