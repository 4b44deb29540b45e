"""Limits that subscriptions have for themselves: over the provider API, in Redis, and what each view says of them."""

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.integration.billing.neighbours import ADMIN, PEPPER, Valkey
from tests.integration.billing.test_http import bearer, create_key
from tests.integration.billing.test_hydration import PARTITION, subscription_hash
from tests.integration.billing.test_ingest import drain
from tests.unit.billing.builders import ANCHOR_MS, SUBSCRIPTION, make_catalog, make_event
from tollgate_billing.main import Billing
from tollgate_core import catalog as c
from tollgate_core.redis_contract import Keys, key_fingerprint, key_hash

LIMITS = "/v1/subscriptions/team%2Facme/limits"


def catalog(least: float = 1000, most: float = 5_000_000, **fields: Any) -> c.Catalog:
    limits = (
        c.MetricLimit(metric="tokens", limit=1_000_000, interval="month", least=least, most=most),
        c.MetricLimit(metric="tokens", limit=10_000, interval="month", least=10, most=20_000, per_key=True),
        c.MetricLimit(metric="calls", limit=100, interval="month", soft=True),
    )
    (product,) = make_catalog().products
    values = {name: getattr(product, name) for name in ("name", "version", "endpoints", "max_keys")}
    return make_catalog(products=(c.Product(**values, limits=limits),), **fields)


@pytest.fixture
def adjustable(billing: Billing, valkey: Valkey) -> Billing:
    valkey.publish(catalog())
    assert billing.keeper.tick()
    return billing


def put(http: TestClient, metric: str = "tokens", **body: Any) -> Any:
    return http.put(f"{LIMITS}/{metric}", json=body, headers=ADMIN)


def in_redis(valkey: Valkey) -> Any:
    return json.loads(subscription_hash(valkey)["record"]).get("limits")


def shown(http: TestClient) -> list[tuple[str, str, str, str | None]]:
    views = http.get(LIMITS, headers=ADMIN).json()["limits"]
    return [(view["metric"], view["scope"], view["limit"], view["own"]) for view in views]


def test_a_limit_of_its_own_is_set_pushed_and_taken_back(adjustable: Billing, http: TestClient, valkey: Valkey) -> None:
    assert in_redis(valkey) is None
    answer = put(http, limit="5M")
    assert answer.status_code == 200, answer.text
    assert (answer.json()["limit"], answer.json()["own"], answer.json()["default"]) == ("5000000", "5000000", "1000000")
    assert put(http, limit="10", scope="key").json()["limit"] == "10"
    adjustable.keeper.tick()
    assert in_redis(valkey) == [
        {"metric": "tokens", "scope": "key", "limit": 10.0},
        {"metric": "tokens", "scope": "subscription", "limit": 5_000_000.0},
    ]
    revision = subscription_hash(valkey)["revision"]
    assert put(http, limit="5M").status_code == 200
    adjustable.keeper.tick()
    assert subscription_hash(valkey)["revision"] == revision
    assert http.get(f"{LIMITS}/tokens", headers=ADMIN, params={"scope": "key"}).json()["limit"] == "10"

    assert http.delete(f"{LIMITS}/tokens", headers=ADMIN).json()["own"] is None
    adjustable.keeper.tick()
    assert in_redis(valkey) == [{"metric": "tokens", "scope": "key", "limit": 10.0}]
    assert int(subscription_hash(valkey)["revision"]) > int(revision)


@pytest.mark.parametrize(
    ("metric", "body", "status", "said"),
    [
        ("tokens", {"limit": "999"}, 422, "limit: 999 is not within the bounds of tokens, from 1000 to 5000000"),
        ("tokens", {"limit": "5.000001M"}, 422, "limit: 5.000001M is not within the bounds of tokens"),
        ("tokens", {"limit": "-5M"}, 422, "limit: -5M is not within"),
        ("tokens", {"limit": "much"}, 422, "limit: 'much' is not a quantity"),
        ("tokens", {"limit": "5k", "scope": "team"}, 422, "not valid"),
        ("tokens", {"limit": "21k", "scope": "key"}, 422, "from 10 to 20000"),
        ("calls", {"limit": "50"}, 409, "not adjustable"),
        ("other", {"limit": "50"}, 404, "no limit of other"),
    ],
)
def test_what_is_refused(
    metric: str, body: dict[str, Any], status: int, said: str, adjustable: Billing, http: TestClient
) -> None:
    before = shown(http)
    answer = put(http, metric, **body)
    assert (answer.status_code, said in answer.json()["detail"]) == (status, True), answer.text
    assert shown(http) == before
    assert adjustable.keeper.tick()


def test_a_preview_changes_nothing(adjustable: Billing, http: TestClient) -> None:
    before = shown(http)
    for method, body in (("PUT", {"limit": "5k"}), ("DELETE", None)):
        answer = http.request(method, f"{LIMITS}/tokens", params={"preview": "true"}, json=body, headers=ADMIN)
        assert answer.status_code == 200
        assert shown(http) == before
    assert adjustable.keeper.tick()


def test_other_bounds_hold_for_limits_that_were_set_before(
    adjustable: Billing, http: TestClient, valkey: Valkey
) -> None:
    put(http, limit="4M")
    for bounds, limit in (((1000, 2_000_000), "2000000"), ((5_000_000, 6_000_000), "5000000"), ((0, 0), "1000000")):
        valkey.publish(catalog(*bounds))
        adjustable.keeper.tick()
        assert shown(http)[0] == ("tokens", "subscription", limit, "4000000")


def test_who_takes_a_name_over_has_no_limits_of_before(adjustable: Billing, http: TestClient, valkey: Valkey) -> None:
    put(http, limit="4M")
    valkey.publish(catalog(subscriptions=()))
    adjustable.keeper.tick()
    other = c.Subscription(name=SUBSCRIPTION, product="pro", customer="other")
    valkey.publish(catalog(subscriptions=(other,)))
    adjustable.keeper.tick()
    assert shown(http)[0] == ("tokens", "subscription", "1000000", None)
    assert in_redis(valkey) is None
    assert put(http, limit="3M").json()["own"] == "3000000"


def test_a_key_sees_its_own_usage_and_gets_its_counter_back(
    adjustable: Billing, http: TestClient, valkey: Valkey
) -> None:
    keys = [create_key(http)["key"] for _ in range(2)]
    prints = [key_fingerprint(key_hash(PEPPER.encode(), key)) for key in keys]
    for number, (mark, units) in enumerate(((prints[0], "700"), (prints[0], "50"), (prints[1], "5"), ("", "1000"))):
        valkey.append(make_event(f"e{number}", units, api_key=mark))
    valkey.append(make_event("e0", "600", api_key=prints[0], quality="exact", witness="access_log"))
    drain(adjustable)
    seen = [http.get("/v1/usage", headers=bearer(key)).json()["limits"] for key in keys]
    used = [{(limit["metric"], limit["scope"]): limit["used"] for limit in limits} for limits in seen]
    assert used[0] == {("tokens", "subscription"): "1755", ("tokens", "key"): "750", ("calls", "subscription"): "4"}
    assert used[1][("tokens", "key")] == "5"
    assert [v["used"] for v in http.get(LIMITS, headers=ADMIN).json()["limits"]] == ["1755", None, "4"]

    valkey.client.flushall()
    valkey.publish(catalog())
    while not adjustable.keeper.tick():
        pass
    counters = [Keys.counter(SUBSCRIPTION, "tokens", ANCHOR_MS, mark) for mark in ("", *prints)]
    assert [float(valkey.client.hget(name, "used") or 0) for name in counters] == [1755, 750, 5]
    assert valkey.client.exists(Keys.ready(PARTITION))
