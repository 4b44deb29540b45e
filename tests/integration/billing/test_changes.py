"""Changes of subscriptions, and statements, over HTTP: what a preview shows is what is then charged."""

import csv
import io
from collections import defaultdict
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from tests.integration.billing.conftest import Clock
from tests.integration.billing.neighbours import ADMIN, Valkey
from tests.integration.billing.test_ingest import drain
from tests.unit.billing.builders import NOW_MS, make_catalog, make_event, make_fee, make_price
from tollgate_billing.main import Billing
from tollgate_core.catalog import Catalog, Product

DAY = 86_400_000
Json = dict[str, Any]


def plans(**edited: Any) -> Catalog:
    """Two products and a subscription-free third one in another currency."""
    return make_catalog(
        products=(
            Product(name="pro", version="1", endpoints=(), switches=("team", "euro")),
            Product(name="team", version="1", endpoints=()),
            Product(name="euro", version="1", endpoints=()),
        ),
        prices=(
            make_fee(),
            make_fee(name="seats", amount="10", max_seats=5, min_seats=1),
            make_price(**{"version": "p1", "per": "1", "included": "0", "amount": "1", **edited}),
            make_fee(name="team-fee", product="team", amount="300"),
            make_fee(name="euro-fee", product="euro", currency="EUR"),
        ),
    )


@pytest.fixture
def subscription(http: TestClient, billing: Billing, valkey: Valkey) -> str:
    """One that was made by the API."""
    valkey.publish(plans())
    billing.keeper.tick()
    made = post(http, "/v1/subscriptions", name="globex", product="pro", customer="globex", currency="USD")
    assert made["subscription"]["origin"] == "api"
    return "globex"


def post(http: TestClient, path: str, status: tuple[int, ...] = (200, 201), **body: Any) -> Json:
    preview = body.pop("preview", False)
    response = http.post(path, json=body, headers=ADMIN, params={"preview": "true"} if preview else {})
    assert response.status_code in status, response.text
    answer: Json = response.json()
    return answer


def get(http: TestClient, path: str) -> Json:
    response = http.get(path, headers=ADMIN)
    assert response.status_code == 200, response.text
    answer: Json = response.json()
    return answer


def lines(document: Json) -> list[tuple[str, str]]:
    return [(line["price"], line["amount"]) for line in document["lines"]]


def by_price(charged: list[tuple[str, str]]) -> dict[str, Decimal]:
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for price, amount in charged:
        sums[price] += Decimal(amount)
    return dict(sums)


@pytest.mark.parametrize(
    ("change", "body"),
    [
        ("switch", {"product": "team"}),
        ("seats", {"price": "seats", "seats": 4}),
        ("cancel", {"at": "now"}),
        ("charges", {"id": "c1", "amount": "12.50", "comment": "help"}),
    ],
)
def test_a_preview_is_what_is_then_charged(
    http: TestClient, billing: Billing, clock: Clock, subscription: str, change: str, body: Json
) -> None:
    assert billing.closer.tick() == set()
    clock.now_ms += 10 * DAY
    before = get(http, f"/v1/subscriptions/{subscription}/invoice")
    shown = post(http, f"/v1/subscriptions/{subscription}/{change}", preview=True, **body)
    assert get(http, f"/v1/subscriptions/{subscription}/invoice") == before
    done = post(http, f"/v1/subscriptions/{subscription}/{change}", **body)
    assert {**shown, "preview": False, "subscription": None} == {**done, "subscription": None}
    clock.now_ms += 40 * DAY
    assert billing.closer.tick() == set()
    billed = get(http, f"/v1/subscriptions/{subscription}/statements")["statements"]
    until = shown["draft"]["closes_at"]
    charged = [line for statement in billed if statement["closed_at"] <= until for line in lines(statement)]
    assert by_price(charged) == by_price(lines(shown["draft"]))


@pytest.mark.parametrize(
    ("change", "body", "reason"),
    [
        ("switch", {"product": "pro"}, "is on the product pro already"),
        ("switch", {"product": "gold"}, "is not allowed; allowed: team, euro"),
        ("switch", {"product": "euro"}, "has no price in USD"),
        ("seats", {"price": "seats", "seats": 6}, "allows 1 to 5 seats, not 6"),
        ("seats", {"price": "nope", "seats": 1}, "has no price nope"),
        ("migrate", {"prices": ["nope"]}, "has no price nope"),
        ("reactivate", {}, "is not cancelled"),
    ],
)
def test_what_is_refused_says_why(http: TestClient, subscription: str, change: str, body: Json, reason: str) -> None:
    assert reason in post(http, f"/v1/subscriptions/{subscription}/{change}", (409,), **body)["detail"]


@pytest.mark.parametrize("amount", ["0", "0.001", "ten", "1e3", ""])
def test_a_charge_is_an_amount_of_whole_minor_units(http: TestClient, subscription: str, amount: str) -> None:
    refused = post(http, f"/v1/subscriptions/{subscription}/charges", (422,), id="c", amount=amount, comment="x")
    assert "amount" in str(refused)


def test_the_preview_of_a_beginning_begins_nothing(http: TestClient, subscription: str) -> None:
    wanted = {"name": "new", "product": get(http, f"/v1/subscriptions/{subscription}/invoice")["product"]}
    shown = http.post("/v1/subscriptions", params={"preview": "true"}, json={**wanted, "customer": "x"}, headers=ADMIN)
    assert (shown.status_code, shown.json()["preview"]) == (201, True)
    names = [row["name"] for row in get(http, "/v1/subscriptions")["subscriptions"]]
    assert "new" not in names
    done = post(http, "/v1/subscriptions", **wanted, customer="x")
    assert (done["preview"], done["draft"]["total"]) == (False, shown.json()["draft"]["total"])


def test_the_same_charge_twice_is_one(http: TestClient, subscription: str) -> None:
    path = f"/v1/subscriptions/{subscription}/charges"
    for _ in range(2):
        post(http, path, id="c", amount="-5", comment="sorry")
    assert ("charge:c", "-5.00") in lines(get(http, f"/v1/subscriptions/{subscription}/invoice"))
    assert "another content" in post(http, path, (409,), id="c", amount="-6", comment="sorry")["detail"]


def test_what_a_manifest_declares_is_changed_there(http: TestClient) -> None:
    name = quote("team/acme", safe="")
    for change, body in (("cancel", {}), ("switch", {"product": "x"})):
        refused = post(http, f"/v1/subscriptions/{name}/{change}", (409,), **body)
        assert "a manifest declares it" in refused["detail"]


def test_a_migration_takes_the_edit_and_nothing_else_does(
    http: TestClient, billing: Billing, valkey: Valkey, clock: Clock, subscription: str
) -> None:
    valkey.publish(plans(version="v2", display_name="dearer"))
    billing.keeper.tick()
    clock.now_ms += DAY
    path = f"/v1/subscriptions/{subscription}/migrate"
    shown = post(http, path, preview=True)
    (migrated,) = shown["migrated"]
    assert (migrated["price"], migrated["version"], migrated["from"]["version"]) == ("token-price", "v2", "p1")
    assert migrated["since"] == shown["effective_at"]
    assert post(http, path)["migrated"] == [migrated]
    assert post(http, path)["migrated"] == []


def test_a_migration_is_done_only_if_it_is_still_what_the_preview_showed(
    http: TestClient, billing: Billing, valkey: Valkey, clock: Clock, subscription: str
) -> None:
    def migrate(**headers: str) -> Any:
        return http.post(path, headers={**ADMIN, **headers})

    def edited(version: str) -> None:
        valkey.publish(plans(version=version, display_name="dearer"))
        billing.keeper.tick()

    path = f"/v1/subscriptions/{subscription}/migrate"
    edited("v2")
    clock.now_ms += DAY
    preview = http.post(path, headers=ADMIN, params={"preview": "true"})
    tag = preview.headers["etag"]
    assert tag == f'"{preview.json()["fingerprint"]}"'
    valkey.append(make_event("e", "7", subscription=subscription, customer="globex", at_ms=clock.now_ms))
    drain(billing)
    clock.now_ms += DAY
    again = post(http, path, preview=True)
    assert again["fingerprint"] == preview.json()["fingerprint"], "neither calls nor time matter"
    edited("v3")
    refused = migrate(**{"If-Match": tag})
    assert refused.status_code == 412
    now = post(http, path, preview=True)
    assert [pin["version"] for pin in now["migrated"]] == ["v3"], "nothing was changed"
    assert f"it is {now['fingerprint']} now" in refused.json()["detail"]
    done = migrate(**{"If-Match": f'{tag}, "{now["fingerprint"]}"'})
    assert (done.status_code, [pin["version"] for pin in done.json()["migrated"]]) == (200, ["v3"])
    assert migrate(**{"If-Match": tag}).status_code == 412, "nothing is left of what was shown"
    assert migrate(**{"If-Match": "*"}).status_code == migrate().status_code == 200


def test_a_migration_may_name_an_earlier_version(
    http: TestClient, billing: Billing, valkey: Valkey, clock: Clock, subscription: str
) -> None:
    valkey.publish(plans(version="v2", display_name="dearer"))
    billing.keeper.tick()
    path = f"/v1/subscriptions/{subscription}/migrate"
    clock.now_ms += DAY
    post(http, path)
    clock.now_ms += DAY
    (back,) = post(http, path, versions={"token-price": "p1"})["migrated"]
    assert (back["version"], back["from"]["version"]) == ("p1", "v2")
    assert post(http, path, versions={"token-price": "p1"})["migrated"] == []
    refused = post(http, path, (409,), versions={"token-price": "nope"})["detail"]
    assert "there is no version nope of the price token-price; it has" in refused


def test_cancelled_at_the_end_it_works_until_then_and_can_be_kept(
    http: TestClient, billing: Billing, clock: Clock, subscription: str
) -> None:
    cancelled = post(http, f"/v1/subscriptions/{subscription}/cancel")["subscription"]
    assert (cancelled["state"], cancelled["ended_at"][:10]) == ("active", "2097-02-28")
    kept = post(http, f"/v1/subscriptions/{subscription}/reactivate")["subscription"]
    assert (kept["state"], kept["ended_at"]) == ("active", None)
    post(http, f"/v1/subscriptions/{subscription}/cancel")
    clock.now_ms += 40 * DAY
    billing.closer.tick()
    row = next(r for r in get(http, "/v1/subscriptions")["subscriptions"] if r["name"] == subscription)
    assert row["state"] == "cancelled"
    assert row["closed_until"] == cancelled["ended_at"]
    (opening,) = get(http, f"/v1/subscriptions/{subscription}/statements")["statements"]
    assert lines(opening) == [("fee", "49.00"), ("seats", "10.00")]


def test_statements_can_be_had_as_json_csv_and_a_page(
    http: TestClient, billing: Billing, valkey: Valkey, clock: Clock, subscription: str
) -> None:
    valkey.append(make_event("e", "7", subscription=subscription, customer="globex", at_ms=NOW_MS))
    drain(billing)
    post(http, f"/v1/subscriptions/{subscription}/charges", id="c", amount="1", comment="=cmd()<script>")
    clock.now_ms += 31 * DAY
    billing.closer.tick()
    page = get(http, f"/v1/subscriptions/{subscription}/statements?limit=1")
    (first,) = page["statements"]
    assert get(http, f"/v1/statements/{first['id']}") == {**first, "invoice": None}
    rest = get(http, f"/v1/subscriptions/{subscription}/statements?after={page['next']}")["statements"]
    assert [s["sequence"] for s in [first, *rest]] == list(range(1, len(rest) + 2))
    assert get(http, f"/v1/subscriptions/{subscription}/verify") == {"statements": len(rest) + 1, "changed": []}
    whole = [first, *rest]
    rows = [
        row
        for statement in whole
        for row in csv.DictReader(io.StringIO(http.get(f"/v1/statements/{statement['id']}/csv", headers=ADMIN).text))
    ]
    assert ("token-price", "7.00") in [(row["price"], row["amount"]) for row in rows]
    assert "'=cmd()<script>" in [row["display_name"] for row in rows]
    pages = [http.get(f"/v1/statements/{s['id']}/page", headers=ADMIN).text for s in whole]
    assert any("=cmd()&lt;script&gt;" in text for text in pages)
    assert not any("<script>" in text for text in pages)
    assert http.get("/v1/statements/nope", headers=ADMIN).status_code == 404


def test_a_wallet_shows_settled_pending_and_available_apart(
    http: TestClient, billing: Billing, clock: Clock, subscription: str
) -> None:
    path = f"/v1/subscriptions/{subscription}"
    given = post(http, f"{path}/grants", id="g", amount="200", source="topUp", comment="card")
    assert (given["settled"], given["pending"], given["available"]) == ("200.00", "0.00", "200.00")
    assert post(http, f"{path}/grants", id="g", amount="200") | {"grants": None} == given | {"grants": None}
    assert "another content" in post(http, f"{path}/grants", (409,), id="g", amount="201")["detail"]
    for wrong in ("0", "-1", "0.001"):
        assert "amount" in str(post(http, f"{path}/grants", (422,), id="x", amount=wrong))
    late = "2020-01-01T00:00:00Z"
    assert "passed" in post(http, f"{path}/grants", (422,), id="x", amount="1", expires_at=late)["detail"]
    shown = post(http, f"{path}/grants", preview=True, id="h", amount="5")
    assert (shown["settled"], get(http, f"{path}/wallet")["settled"]) == ("205.00", "200.00")
    clock.now_ms += DAY
    billing.closer.tick()
    (opening,) = get(http, f"{path}/statements")["statements"]
    assert (opening["paid_from_wallet"]["amount"], opening["due"]["amount"]) == ("59.00", "0.00")
    wallet = get(http, f"{path}/wallet")
    assert (wallet["settled"], wallet["pending"], wallet["owed"]) == ("141.00", "0.00", "0.00")
    back = http.delete(f"{path}/grants/g", headers=ADMIN).json()
    assert (back["settled"], back["available"]) == ("0.00", "0.00")
    assert http.delete(f"{path}/grants/nope", headers=ADMIN).status_code == 404
