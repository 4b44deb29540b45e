"""Reconcile: a bad resource never stops a good one; what was right serves on; every refusal names the field."""

import copy
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.manifests import Document, example_documents, find, resource, write
from tollgate_operator.control_loop import State, reconcile
from tollgate_operator.envoy import GatewaySettings
from tollgate_operator.sources import FileSource

SETTINGS = GatewaySettings(
    "127.0.0.1", 8080, ("unix:/x",), ("unix:/y",), "/log", host_aliases={"sandbox.localhost": "127.0.0.1:9"}
)


def run(directory: Path, documents: list[Document], last: State | None = None) -> State:
    return reconcile(FileSource(write(directory, documents)).load(), last, SETTINGS)


def problems(state: State) -> dict[str, list[str]]:
    return {f"{kind}/{name}": s.problems for (kind, name), s in state.statuses.items() if s.problems}


def test_the_examples_are_all_right(tmp_path: Path) -> None:
    state = run(tmp_path, example_documents(payments=True))
    assert not problems(state)
    assert {s.serving for s in state.statuses.values()} == {"current"}


def test_equal_manifests_give_an_equal_catalog_whatever_their_order(tmp_path: Path) -> None:
    documents = example_documents()
    one = run(tmp_path, documents)
    two = run(tmp_path, list(reversed(documents)))
    assert one.catalog_hash == two.catalog_hash


def change(kind: str, name: str, path: list[Any], value: Any) -> list[Document]:
    documents = example_documents()
    target: Any = find(documents, kind, name)["spec"]
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = value
    return documents


BROKEN = [
    (
        ("Product", "openai-payg", ["endpoints"], [{"api": "opnai"}]),
        "spec.endpoints[0].api: there is no API 'opnai'; did you mean 'openai'?",
    ),
    (
        ("Product", "openai-payg", ["endpoints"], [{"api": "openai", "endpoints": ["chatt"]}]),
        "API 'openai' has no endpoint 'chatt'; did you mean 'chat'?",
    ),
    (
        ("Price", "openai-payg-input", ["metric"], "input-token"),
        "spec.metric: there is no BillableMetric 'input-token'; did you mean 'input-tokens'?",
    ),
    (
        ("Subscription", "acme-openai", ["product"], "openai"),
        "spec.product: there is no Product 'openai'",
    ),
    (
        ("API", "openai", ["credential", "secretKeyRef", "key"], "opnai"),
        "spec.credential.secretKeyRef: there is no Secret 'upstream-keys' with key 'opnai' in this namespace",
    ),
    (
        ("BillableMetric", "claude-tokens", ["usage", 0, "quantity"], "openai_completions_usage().total_tokens"),
        "this endpoint's format is anthropic_messages, use anthropic_messages_usage()",
    ),
    (
        ("BillableMetric", "claude-tokens", ["usage", 0, "quantity"], "usage().totl"),
        "spec.usage[0].quantity: 'usage().totl' cannot be computed",
    ),
    (
        ("BillableMetric", "claude-tokens", ["usage", 0, "quantity"], "usage().total * 1.5"),
        "CEL does not coerce between types",
    ),
    (
        ("BillableMetric", "claude-tokens", ["usage", 0, "quantity"], "usage().total > 5"),
        "a quantity must be a number, not bool",
    ),
    (("BillableMetric", "claude-tokens", ["usage", 0, "when"], "usage().total"), "must give a bool, not int"),
    (
        ("BillableMetric", "gemini-tokens", ["usage", 0, "quantity"], "size(response.body)"),
        "response.body and response.json need metering.mode: stream",
    ),
    (
        ("BillableMetric", "cpu-seconds", ["usage", 0, "quantity"], "double(response.headers[path.params.job])"),
        "response.headers needs a literal name",
    ),
    (("API", "openai", ["rejectionRules", 0, "when"], "request.json.model =="), "spec.rejectionRules[0].when: Failed"),
    (
        ("API", "openai", ["transformations"], {"request": [{"target": "body", "jq": ".a |"}]}),
        "spec.transformations.request[0].jq: jq: error: syntax error",
    ),
    (("API", "openai", ["upstream", "url"], "http://[:::::]/"), "spec.upstream.url: is no URL"),
    (("API", "openai", ["upstream", "timeout"], "99999999999999h"), "spec.upstream.timeout: must be at most 8760h"),
    (("API", "openai", ["upstream", "connectTimeout"], "8761h"), "connectTimeout: must be at most 8760h"),
    (("API", "openai", ["maxRequestBytes"], "9" * 30 + "Ti"), "spec.maxRequestBytes: must be at least 1 and at most"),
    (("API", "openai", ["maxRequestBytes"], "0.5"), "spec.maxRequestBytes: must be at least 1 and at most"),
    (
        ("Subscription", "acme-openai", ["startsAt"], "0001-01-01T00:00:00+14:00"),
        "spec.startsAt: must be between the years 1970 and 9000",
    ),
    (("Subscription", "acme-openai", ["keyRotationOverlap"], "9000h"), "keyRotationOverlap: must be at most 8760h"),
    (
        ("BillableMetric", "cpu-seconds", ["usage", 0, "quantity"], 'double(response.headers["x)% %START_TIME(a"])'),
        "is no name of a header",
    ),
    (
        ("API", "mistral", ["endpoints", 0, "name"], "chat completions"),
        "spec.endpoints[0].name: string should match pattern",
    ),
]


@pytest.mark.parametrize(("edit", "message"), BROKEN)
def test_a_broken_edit_is_named_and_what_was_right_serves_on(tmp_path: Path, edit: Any, message: str) -> None:
    kind, name, path, value = edit
    good = run(tmp_path, example_documents())
    state = run(tmp_path, change(kind, name, path, value), good)
    assert list(problems(state)) == [f"{kind}/{name}"]
    assert message in problems(state)[f"{kind}/{name}"][0]
    assert state.statuses[kind, name].serving == "previous"
    assert state.catalog_hash == good.catalog_hash
    assert state.envoy == good.envoy


@pytest.mark.parametrize(("edit", "message"), BROKEN)
def test_a_resource_that_is_wrong_from_the_start_stops_no_other_api(tmp_path: Path, edit: Any, message: str) -> None:
    kind, name, path, value = edit
    state = run(tmp_path, change(kind, name, path, value))
    assert message in problems(state)[f"{kind}/{name}"][0]
    for api in ("ollama", "deepseek"):
        assert state.statuses["API", api].serving == "current"


def test_a_switch_to_no_product_is_named_and_the_product_serves(tmp_path: Path) -> None:
    state = run(tmp_path, change("Product", "openai-payg", ["switches"], ["claude-teem", "open-models"]))
    said = "spec.switches[0]: there is no Product 'claude-teem'; did you mean 'claude-team'?"
    assert problems(state) == {"Product/openai-payg": [said]}
    assert state.statuses["Product", "openai-payg"].serving == "current"


@pytest.mark.parametrize(("field", "value"), [("maxKeys", 0), ("timeZone", "Mars/Olympus")])
def test_what_names_an_invalid_product_says_so_and_not_that_there_is_none(
    tmp_path: Path, field: str, value: Any
) -> None:
    """Whether its own schema refuses it or only what is around it."""
    state = run(tmp_path, change("Product", "openai-payg", [field], value))
    said = problems(state)
    assert f"spec.{field}: " in said["Product/openai-payg"][0]
    for key in (("Price", "openai-payg-input"), ("Subscription", "acme-openai")):
        message = "spec.product: Product 'openai-payg' is invalid itself; mend its own error first"
        assert said["/".join(key)] == [message]
        assert [c.reason for c in state.statuses[key].conditions] == ["Accepted", "RefInvalid"]


def test_what_names_an_invalid_api_says_so_and_serves_the_rest(tmp_path: Path) -> None:
    state = run(tmp_path, change("API", "mistral", ["upstream", "url"], "http://[:::::]/"))
    message = "API 'mistral' is invalid itself; mend its own error first"
    assert message in problems(state)["Product/open-models"][0]
    assert state.statuses["Product", "open-models"].serving == "current"


def test_two_routes_that_collide_are_named_and_the_first_keeps_serving(tmp_path: Path) -> None:
    documents = example_documents()
    good = run(tmp_path, documents)
    twin = copy.deepcopy(find(documents, "API", "openai"))
    twin["metadata"]["name"] = "aaa-twin"
    twin["spec"]["endpoints"] = [{"name": "x", "path": "/v1/chat/completions"}]
    state = run(tmp_path, [*documents, twin], good)
    assert problems(state) == {
        "API/aaa-twin": [
            "spec.endpoints[0].path: POST */openai/v1/chat/completions is already the endpoint openai/chat"
        ]
    }
    assert state.statuses["API", "openai"].serving == "current"


def test_parameters_make_no_difference_to_a_collision(tmp_path: Path) -> None:
    twin = resource(
        "API",
        "zz",
        pathPrefix="/compute",
        upstream={"url": "http://127.0.0.1:1"},
        endpoints=[{"name": "x", "path": "/v1/compute/{other}"}],
    )
    assert list(problems(run(tmp_path, [*example_documents(), twin]))) == ["API/zz"]


def test_a_deleted_api_leaves_the_rest_of_its_product_serving(tmp_path: Path) -> None:
    documents = example_documents()
    good = run(tmp_path, documents)
    without = [d for d in documents if d["metadata"]["name"] != "mistral"]
    state = run(tmp_path, without, good)
    product = next(p for p in state.catalog.products if p.name == "open-models")
    assert set(product.endpoints) == {"ollama/chat", "ollama/generate", "deepseek/chat"}
    assert "there is no API 'mistral'" in problems(state)["Product/open-models"][0]
    assert "there is no API 'mistral'" in problems(state)["BillableMetric/open-model-tokens"][0]


def test_a_file_that_is_no_yaml_keeps_its_resources(tmp_path: Path) -> None:
    write(tmp_path, example_documents())
    source = FileSource(tmp_path)
    good = reconcile(source.load(), None, SETTINGS)
    (tmp_path / "all.yaml").write_text("kind: [API\n: :")
    state = reconcile(source.load(), good, SETTINGS)
    assert list(state.files) == [str(tmp_path / "all.yaml")]
    assert state.catalog_hash == good.catalog_hash


def test_one_resource_in_two_files_is_named(tmp_path: Path) -> None:
    documents = example_documents()
    write(tmp_path, documents)
    write(tmp_path / "more", [find(documents, "API", "ollama")])
    state = reconcile(FileSource(tmp_path).load(), None, SETTINGS)
    assert "API/ollama is in" in problems(state)["API/ollama"][0]


def test_a_changed_price_is_a_new_version_and_an_unchanged_one_is_not(tmp_path: Path) -> None:
    before = run(tmp_path, example_documents())
    after = run(tmp_path, change("Price", "openai-payg-input", ["amount"], "0.60"), before)
    versions = {p.name: p.version for p in before.catalog.prices}
    changed = [p.name for p in after.catalog.prices if p.version != versions[p.name]]
    assert changed == ["openai-payg-input"]


def test_no_secret_is_in_the_catalog(tmp_path: Path) -> None:
    state = run(tmp_path, example_documents())
    assert b"sk-demo" not in state.encoded
    assert b"upstream-keys" not in state.encoded


def test_an_expression_that_would_loop_for_hours_holds_nothing_up(tmp_path: Path) -> None:
    numbers, source = f"[{','.join('1' * 900)}]", "1"
    for depth in range(2):
        source = f"{numbers}.map(x{depth}, {source}).size()"
    started = time.monotonic()
    state = run(tmp_path, change("BillableMetric", "claude-tokens", ["usage", 0, "quantity"], source))
    assert not problems(state)
    assert time.monotonic() - started < 30


def test_what_multiplies_without_end_is_refused_by_its_field(tmp_path: Path) -> None:
    nested = "[1].all(a, [1].all(b, [1].all(c, true))) ? 1 : 0"
    state = run(tmp_path, change("BillableMetric", "claude-tokens", ["usage", 0, "quantity"], nested))
    assert "spec.usage[0].quantity: all, exists" in str(problems(state))
    bomb = {"request": [{"target": "body", "jq": '"a" * 1000000000'}]}
    state = run(tmp_path, change("API", "openai", ["transformations"], bomb))
    assert "spec.transformations.request[0].jq: a text" in str(problems(state))
