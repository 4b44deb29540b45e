"""What the webhook answers: mistakes are refused, what is not there yet is a warning, what was there stays."""

import copy
from typing import Any

import pytest

from tests.support.manifests import Document, example_documents, find, resource
from tests.unit.operator.cluster.objects import api, product, store_of, stored, subscription
from tollgate_operator.cluster.admission import advice, review
from tollgate_operator.reconcile import UpstreamPolicy

RESOURCES = store_of(api("a"), product("pro")).loaded().resources
EXAMPLES = store_of(*(stored(document) for document in example_documents())).known()


def ask(document: Document | None, before: Document | None = None, operation: str = "", among: Any = None) -> Any:
    request = {
        "uid": "u-1",
        "operation": operation or ("UPDATE" if before else "CREATE"),
        "object": document,
        "oldObject": before,
    }
    answer = review(request, RESOURCES if among is None else among, UpstreamPolicy(local=False))
    assert answer["uid"] == "u-1"
    return answer


def test_what_is_right_passes_without_a_word() -> None:
    assert ask(subscription("s")) == {"uid": "u-1", "allowed": True}


def test_a_reference_to_nothing_is_a_warning() -> None:
    answer = ask(subscription("s", to="proo"))
    assert answer["allowed"]
    assert answer["warnings"] == ["spec.product: there is no Product 'proo'; did you mean 'pro'?"]


def test_a_mistake_is_refused_and_names_its_field() -> None:
    metric = stored(copy.deepcopy(find(example_documents(), "BillableMetric", "input-tokens")))
    metric["spec"]["usage"][0]["quantity"] = "usage().inputt"
    answer = ask(metric, among=EXAMPLES)
    assert not answer["allowed"]
    assert (answer["status"]["code"], answer["status"]["reason"]) == (422, "Invalid")
    assert "spec.usage[0].quantity" in answer["status"]["message"]


def test_what_cannot_be_parsed_is_refused_with_all_its_problems() -> None:
    wrong = stored(resource("Product", "wrong", endpoint=[], maxKeys="many"))
    answer = ask(wrong)
    assert not answer["allowed"]
    for field in ("spec.endpoints", "spec.endpoint", "spec.maxKeys"):
        assert field in answer["status"]["message"]


def test_a_route_that_is_taken_is_refused_for_the_younger_one() -> None:
    twin = api("twin", prefix="/a", creationTimestamp="2026-11-22T09:00:00Z")
    assert "is already the endpoint a/e" in ask(twin)["status"]["message"]
    assert ask(api("a", 2, generation=2), api("a"))["allowed"]


def test_an_edit_is_judged_without_its_former_self() -> None:
    before = api("a")
    assert ask(api("a", 2, prefix="/b"), before)["allowed"]
    endpoints = [{"name": "renamed", "path": "/e"}]
    assert ask(api("a", 2) | {"spec": {**before["spec"], "endpoints": endpoints}}, before)["allowed"]


@pytest.mark.parametrize("change", [{"labels": {"a": "b"}}, {"finalizers": []}, {"annotations": {"x": "y"}}])
def test_an_object_whose_spec_stays_passes_even_where_it_would_be_refused_today(change: Any) -> None:
    before = stored(resource("Product", "old", endpoint=[]))
    assert ask(stored(resource("Product", "old", endpoint=[]), 2, **change), before) == {"uid": "u-1", "allowed": True}


def test_nothing_stands_in_the_way_of_a_deletion() -> None:
    wrong = stored(resource("Product", "old", endpoint=[]))
    assert ask(None, wrong, "DELETE")["allowed"]
    going = stored(resource("Product", "old", endpoint=["other"]), 2, deletionTimestamp="2026-11-22T09:00:00Z")
    assert ask(going, wrong)["allowed"]


def test_a_status_is_no_part_of_what_is_judged() -> None:
    assert ask(product("pro", 2, status={"serving": "nonsense"}), product("pro", api="b"))["allowed"]


def test_answers_stay_small() -> None:
    selectors = [{"api": f"none-{n}"} for n in range(40)]
    answer = ask(stored(resource("Product", "many", endpoints=selectors)))
    assert answer["allowed"]
    assert len(answer["warnings"]) == 10
    answer = ask(stored(resource("Product", "many", **{f"unknown{n}": 1 for n in range(500)})))
    assert len(answer["status"]["message"]) <= 4000


def advised(document: Document) -> list[str]:
    request = {"uid": "u-1", "operation": "UPDATE", "object": document}
    return advice(request, EXAMPLES, 1_800_000_000_000)


def test_what_is_doubtful_in_a_price_is_advice() -> None:
    price = stored(copy.deepcopy(find(example_documents(), "Price", "openai-payg-input")))
    assert advised(price) == []
    del price["spec"]["per"]
    (said,) = advised(price)
    assert said.startswith("spec.amount: 0.5 USD for each single token is 500000 for a million")


def test_what_may_be_in_the_same_file_is_no_advice() -> None:
    product = stored(copy.deepcopy(find(example_documents(), "Product", "openai-payg")))
    product["metadata"]["name"] = "new"
    assert advised(product) == []
    assert advised(stored(copy.deepcopy(find(example_documents(), "API", "openai")))) == []
