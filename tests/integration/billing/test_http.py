"""The HTTP APIs."""

import pytest
from fastapi.testclient import TestClient

from tests.integration.billing.conftest import Clock
from tests.integration.billing.neighbours import ADMIN, Valkey
from tests.integration.billing.test_ingest import drain
from tests.unit.billing.builders import NOW_MS, SUBSCRIPTION, make_event
from tollgate_billing.http.services import Services
from tollgate_billing.main import Billing
from tollgate_billing.settings import Settings
from tollgate_core.api_keys import is_well_formed
from tollgate_core.events import rfc3339
from tollgate_core.redis_contract import Keys

KEYS = "/v1/subscriptions/team%2Facme/keys"


def create_key(http: TestClient, **body: object) -> dict[str, str]:
    response = http.post(KEYS, json=body, headers=ADMIN)
    assert response.status_code == 201, response.text
    made: dict[str, str] = response.json()
    return made


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


@pytest.mark.parametrize(
    "path",
    [
        "/v1/usage-events",
        "/v1/subscriptions",
        "/v1/subscriptions/team/acme/invoice",
        KEYS,
        "/v1/totals",
        "/v1/dead-letters",
    ],
)
@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Bearer ", "Bearer wrong", "Basic YTpi", "Bearer an admin token for testsx"]
)
def test_the_provider_api_needs_the_token(http: TestClient, path: str, authorization: str | None) -> None:
    response = http.get(path, headers={} if authorization is None else {"authorization": authorization})
    assert response.status_code == 401
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["www-authenticate"].startswith("Bearer")
    assert response.json()["status"] == 401


def test_a_customers_key_is_no_admin_token_and_the_other_way_round(http: TestClient) -> None:
    key = create_key(http)["key"]
    assert http.get("/v1/totals", headers=bearer(key)).status_code == 401
    assert http.get("/v1/usage", headers=ADMIN).status_code == 401
    assert http.get("/v1/usage", headers=bearer("tg_live_" + "0" * 38)).status_code == 401
    assert http.get("/v1/usage").status_code == 401


def test_keys_are_shown_once_counted_and_revoked(http: TestClient, valkey: Valkey, billing: Billing) -> None:
    first = create_key(http, label="one")
    assert is_well_formed(first["key"])
    second = create_key(http)
    refused = http.post(KEYS, headers=ADMIN)
    assert (refused.status_code, refused.json()["title"]) == (409, "Conflict")
    listed = http.get(KEYS, headers=ADMIN).json()["keys"]
    assert {key["id"]: key["label"] for key in listed} == {first["id"]: "one", second["id"]: ""}
    assert not any(first["key"] in str(key) or "hash" in key for key in listed)
    name = Keys.subscription(SUBSCRIPTION)
    assert len([f for f in valkey.client.hkeys(name) if f.startswith(b"key:")]) == 2
    assert http.get("/v1/usage", headers=bearer(first["key"])).status_code == 200
    for _ in range(2):
        assert http.delete(f"{KEYS}/{first['id']}", headers=ADMIN).status_code == 204
    assert len([f for f in valkey.client.hkeys(name) if f.startswith(b"key:")]) == 1
    assert http.get("/v1/usage", headers=bearer(first["key"])).status_code == 401
    create_key(http)
    assert http.delete(f"{KEYS}/nobody", headers=ADMIN).status_code == 404
    assert http.delete(f"{KEYS}/{first['id']}").status_code == 401
    with billing.database.read() as connection:
        stored = str(connection.exec_driver_sql("SELECT * FROM api_keys").all())
    assert first["key"] not in stored


def test_keys_expire(http: TestClient, clock: Clock) -> None:
    made = create_key(http, expires_at=rfc3339(NOW_MS + 1000))
    assert http.get("/v1/usage", headers=bearer(made["key"])).status_code == 200
    clock.now_ms += 1000
    assert http.get("/v1/usage", headers=bearer(made["key"])).status_code == 401
    assert http.get(KEYS, headers=ADMIN).json()["keys"][0]["valid"] is False
    assert http.post(KEYS, json={"expires_at": rfc3339(NOW_MS)}, headers=ADMIN).status_code == 422


@pytest.mark.parametrize(
    "body", [{"label": 5}, {"unknown": 1}, {"expires_at": "soon"}, {"expires_at": "2098-01-01T00:00:00"}, [1]]
)
def test_bad_bodies_name_the_field(http: TestClient, body: object) -> None:
    response = http.post(KEYS, json=body, headers=ADMIN)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["errors"][0]["field"].startswith("body")


def test_what_does_not_exist(http: TestClient) -> None:
    for path in ("/v1/subscriptions/nobody/invoice", "/v1/subscriptions/a%2Fb/keys", "/v1/usage-events?after=x", "/x"):
        response = http.get(path, headers=ADMIN)
        assert response.status_code == 404, path
        assert response.json()["title"] == "Not Found"
    assert http.get("/v1/usage-events?limit=0", headers=ADMIN).status_code == 422
    assert http.post("/v1/dead-letters/replay", json={"id": "x"}, headers=ADMIN).status_code == 404
    assert http.post("/v1/totals", headers=ADMIN).status_code == 405


def test_usage_in_every_view(http: TestClient, billing: Billing, valkey: Valkey) -> None:
    valkey.append(
        make_event("a", "3000000"),
        make_event("b", "500000", quality="estimated", witness="hold", outcome="unaccounted"),
        make_event("b", "400000", quality="partial", witness="meter", outcome="client_aborted"),
    )
    drain(billing)
    invoice = http.get("/v1/subscriptions/team%2Facme/invoice", headers=ADMIN).json()
    # Nothing was closed yet: the fee of the period that has begun, the fee of the next one, and usage.
    assert invoice["total"] == {"currency": "USD", "amount": "105.00", "minor": 10500}
    first, second, tokens = invoice["lines"]
    assert (first["amount"], second["amount"], tokens["amount"]) == ("49.00", "49.00", "7.00")
    assert second["period"] == {"start": "2097-02-28T00:00:00.000Z", "end": "2097-03-31T00:00:00.000Z"}
    assert tokens["formula"] == "(3400000 - 2000000 included) / 1000000 x 5 USD = 7.00 USD"
    assert tokens["qualities"] == {
        "exact": {"events": 1, "quantity": "3000000"},
        "partial": {"events": 1, "quantity": "400000"},
    }
    assert [(held["metric"], held["quantity"]) for held in invoice["held"]] == [("calls", "2")]
    assert invoice["period"] == {"start": "2097-01-31T00:00:00.000Z", "end": "2097-02-28T00:00:00.000Z"}

    totals = http.get("/v1/totals", headers=ADMIN).json()
    by_metric = {total["metric"]: total for total in totals["metrics"]}
    assert by_metric["tokens"]["quantity"] == "3400000"
    assert by_metric["tokens"]["by_quality"]["partial"] == {"events": 1, "quantity": "400000"}
    assert {(count["outcome"], count["quality"], count["events"]) for count in totals["events"]} == {
        ("completed", "exact", 1),
        ("client_aborted", "partial", 1),
    }

    events = {e["id"]: e for e in http.get("/v1/usage-events", headers=ADMIN).json()["events"]}
    assert events["a"]["data"]["quantities"]["tokens"] == "3000000"
    assert events["b"]["data"]["outcome"] == "client_aborted"
    assert [old["data"]["outcome"] for old in events["b"]["superseded"]] == ["unaccounted"]

    usage = http.get("/v1/usage", headers=bearer(create_key(http)["key"])).json()
    assert {m["metric"]: m["quantity"] for m in usage["metrics"]} == {"tokens": "3400000", "calls": "2"}
    assert usage["metrics"][1]["display_name"] == "Tokens"
    assert usage["limits"][0] | {"period": None} == {
        "metric": "tokens",
        "scope": "subscription",
        "enforcement": "hard",
        "limit": "1000000",
        "default": "1000000",
        "own": None,
        "adjustable": None,
        "used": "3400000",
        "remaining": "0",
        "period": None,
    }
    assert usage["invoice"] == invoice


def test_walking_over_pages(http: TestClient, billing: Billing, valkey: Valkey) -> None:
    valkey.append(*(make_event(f"e{i}") for i in range(7)))
    drain(billing)
    seen: list[str] = []
    after: str | None = None
    while True:
        query = {"limit": "3", "subscription": SUBSCRIPTION} | ({"after": after} if after else {})
        page = http.get("/v1/usage-events", params=query, headers=ADMIN).json()
        seen += [event["id"] for event in page["events"]]
        after = page["next"]
        if not after:
            break
    assert sorted(seen) == [f"e{i}" for i in range(7)]


def test_dead_letters_are_listed_and_replayed(http: TestClient, billing: Billing, valkey: Valkey) -> None:
    valkey.client.xadd(Keys.events(0), {"event": b"\xffbad"})
    drain(billing)
    (letter,) = http.get("/v1/dead-letters", headers=ADMIN).json()["dead_letters"]
    assert letter["replayed_at"] is None
    assert http.post("/v1/dead-letters/replay", headers=ADMIN).json() == {"replayed": 1}
    (letter,) = http.get("/v1/dead-letters", headers=ADMIN).json()["dead_letters"]
    assert letter["replayed_at"] is not None
    assert http.post("/v1/dead-letters/replay", json={"id": letter["id"]}, headers=ADMIN).json() == {"replayed": 1}


def test_operations(http: TestClient, billing: Billing) -> None:
    assert http.get("/healthz").status_code == 200
    assert http.get("/readyz").json()["status"] == "ready"
    billing.health.trouble("ingest", "sql: OperationalError")
    degraded = http.get("/readyz")
    assert degraded.status_code == 503
    assert degraded.json()["degraded"] == {"ingest": "sql: OperationalError"}
    metrics = http.get("/metrics").text
    assert "tollgate_billing_lag_seconds" in metrics
    assert "acme" not in metrics


def test_secrets_are_in_no_repr(billing: Billing) -> None:
    services: Services = billing.services
    settings: Settings = billing.settings
    made = services.keys.create(SUBSCRIPTION, 2, "", None)
    for thing in (services, settings, made):
        assert "an admin token" not in repr(thing)
        assert "a pepper" not in repr(thing)
        assert made.plaintext not in repr(thing)


def test_a_quote_is_computed_and_nothing_is_written(http: TestClient) -> None:
    asked = {"product": "pro", "usage": {"tokens": "3.5M"}, "start": "2026-03-01T00:00:00Z"}
    before = http.get("/v1/subscriptions", headers=ADMIN).json()
    answer = http.post("/v1/quote", json=asked, headers=ADMIN)
    assert answer.status_code == 200
    assert answer.json()["total"] == {"currency": "USD", "amount": "56.50", "minor": 5650}
    assert [line["price"] for line in answer.json()["lines"]] == ["fee", "token-price"]
    assert http.get("/v1/subscriptions", headers=ADMIN).json() == before
    refused = http.post("/v1/quote", json={"product": "nope"}, headers=ADMIN)
    assert (refused.status_code, refused.json()["detail"]) == (422, "there is no product 'nope'; known: pro")
    for start in ("9999-12-31T00:00:00Z", "0001-01-01T00:00:00Z"):
        refused = http.post("/v1/quote", json={**asked, "start": start}, headers=ADMIN)
        assert (refused.status_code, "start must be between" in refused.json()["detail"]) == (422, True)
    assert http.post("/v1/quote", json=asked).status_code == 401


def test_a_charge_in_the_middle_of_a_period_does_not_hide_what_was_used(
    http: TestClient, billing: Billing, valkey: Valkey, clock: Clock
) -> None:
    valkey.append(make_event("a", "3000000"))
    drain(billing)
    key = create_key(http)["key"]
    before = http.get("/v1/usage", headers=bearer(key)).json()
    charge = {"id": "c", "amount": "5", "comment": "help"}
    assert http.post("/v1/subscriptions/team%2Facme/charges", headers=ADMIN, json=charge).is_success
    clock.now_ms += 2 * 3_600_000
    assert billing.closer.tick() == set()
    assert http.get("/v1/statements", headers=ADMIN).json()["statements"]
    after = http.get("/v1/usage", headers=bearer(key)).json()
    assert (after["period"], after["metrics"]) == (before["period"], before["metrics"])
    assert before["metrics"][-1]["quantity"] == "3000000"
