"""Bodies and queries are held against the SDK's own types."""

from typing import Any

import pytest
from paddle_billing.Exceptions.ApiError import ApiError

from tests.unit.sandbox_paddle.builders import customer, price, subscription
from tests.unit.sandbox_paddle.conftest import KEY, Simulated
from tollgate_cli.laptop import loopback
from tollgate_sandbox.paddle.errors import PaddleError
from tollgate_sandbox.paddle.params import check
from tollgate_sandbox.paddle.queries import check_query, rules_of
from tollgate_sandbox.paddle.table import OPERATIONS

_HEADERS = {"authorization": f"Bearer {KEY}"}


def fields(answer: Any) -> list[str]:
    """The fields that a refusal names."""
    told = answer.json()
    assert (answer.status_code, told["error"]["code"], told["error"]["type"]) == (400, "bad_request", "request_error")
    assert told["meta"]["request_id"]
    return [one["field"] for one in told["error"]["errors"]]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"colour": "red", "email": "a@b.c"}, "colour"),
        ({}, "email"),
        ({"email": 5}, "email"),
        ({"email": None}, "email"),
        ({"email": "nobody"}, "email"),
        ({"email": "a@b.c", "custom_data": "x"}, "custom_data"),
    ],
)
def test_wrong_fields_are_named(sim: Simulated, body: dict[str, Any], field: str) -> None:
    assert fields(loopback.post(f"{sim.url}/customers", json=body, headers=_HEADERS)) == [field]
    assert loopback.get(f"{sim.url}/customers", headers=_HEADERS).json()["data"] == []


def test_wrong_fields_are_named_however_deep(sim: Simulated, api: Any) -> None:
    one = price(api, 100)
    wrong = {"description": "x", "product_id": one.product_id, "unit_price": {"amount": "1.5", "currency_code": "XXX"}}
    items = [{"price_id": one.id, "quantity": "2"}, {"price": {**wrong, "colour": 1}, "quantity": 1}]
    answer = loopback.post(f"{sim.url}/transactions", json={"items": items}, headers=_HEADERS)
    assert sorted(fields(answer)) == [
        "items.0.quantity", "items.1.price.colour", "items.1.price.unit_price.amount",
        "items.1.price.unit_price.currency_code",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "query", ["colour=red", "status=gone", "created_at[GTE]=soon", "created_at[NE]=2026-01-01T00:00:00Z", "include=x"]
)
def test_wrong_parameters_are_named(sim: Simulated, query: str) -> None:
    answer = loopback.get(f"{sim.url}/transactions?{query}", headers=_HEADERS)
    assert fields(answer) == [query.partition("=")[0]]


def test_what_is_not_there_is_404(api: Any) -> None:
    for call in (lambda: api.customers.get("ctm_nobody"), api.discounts.list):
        with pytest.raises(ApiError) as missing:
            call()
        assert missing.value.response is not None
        assert missing.value.response.status_code == 404


_WITH_BODY = [(one, shape) for one in OPERATIONS for shape in (one.bodies or (one.body,)) if shape]
_WITH_QUERY = [one for one in OPERATIONS if one.query]


@pytest.mark.parametrize(
    ("operation", "shape"), _WITH_BODY, ids=lambda one: getattr(one, "path", one.__class__.__name__)
)
def test_every_body_refuses_what_its_type_does_not_know(operation: Any, shape: type) -> None:
    with pytest.raises(PaddleError) as refused:
        check({"no_such_field": "1"}, shape)
    assert ("no_such_field", "is not a known field") in refused.value.errors


@pytest.mark.parametrize("operation", _WITH_QUERY, ids=lambda one: one.path)
def test_every_list_refuses_parameters_that_its_type_does_not_send(operation: Any) -> None:
    assert rules_of(operation.query)
    with pytest.raises(PaddleError):
        check_query({"no_such_parameter": "1"}, operation.query, operation.include)


def test_no_endpoint_breaks_on_an_empty_request(sim: Simulated, api: Any) -> None:
    """Whatever the state of the object, the answer is a result or a refusal that says why."""
    subscription(api, amount=1000)
    objects = sim.see("state")["objects"]
    kinds = {"customers": "ctm", "prices": "pri", "products": "pro", "subscriptions": "sub", "transactions": "txn"}
    answers = {}
    for operation in sorted(OPERATIONS, key=lambda one: (one.method == "DELETE", "{" in one.path)):
        parts = operation.path.split("/")
        for place, part in enumerate(parts):
            if part.startswith("{"):
                kind = kinds.get(parts[place - 1], {"{address}": "add", "{method}": "paymtd"}.get(part, ""))
                parts[place] = objects[kind][0]["id"] if kind in objects else "none"
        answer = loopback.request(operation.method, sim.url + "/".join(parts), headers=_HEADERS)
        answers[f"{operation.method} {operation.path}"] = answer.status_code
        if answer.status_code >= 400:
            assert answer.json()["error"]["detail"]
    assert {name: status for name, status in answers.items() if status not in {200, 201, 204, 400, 404}} == {}
    assert sum(status < 300 for status in answers.values()) > 25


def test_fields_without_effect_are_told(sim: Simulated, api: Any) -> None:
    one = price(api, 100)
    body = {"items": [{"price_id": one.id, "quantity": 1}], "discount_id": "dsc_1", "customer_id": customer(api).id}
    loopback.post(f"{sim.url}/transactions", json=body, headers=_HEADERS).raise_for_status()
    assert sim.see("ignored")["POST /transactions"] == ["discount_id"]
