"""A release on a real API server: the operator under the chart's rights, and what a user sees with kubectl."""

import copy
import json
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.support.calls import CHAT, chat_body
from tests.support.kubernetes import ApiServer, KubectlError
from tests.support.kubernetes.release import Release
from tests.support.manifests import Document, example_documents, find, resource
from tests.support.sdk import stream_text
from tests.support.streams import OpenStream
from tests.support.traffic import Traffic
from tollgate_cli.laptop import loopback
from tollgate_cli.laptop.system import wait_for

KINDS = "api,product,billablemetric,price,subscription"


def documents() -> list[Document]:
    """The examples, with a Secret for every Subscription's key."""
    found = example_documents()
    for document in found:
        if document["kind"] == "Subscription":
            document["spec"]["secretName"] = f"{document['metadata']['name']}-key"
    return found


@pytest.fixture(scope="module")
def release(api_server: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Release]:
    team = api_server.namespace("team")
    directory = tmp_path_factory.mktemp("release")
    with Release(api_server, directory, api_server.namespace("tollgate"), watch=(team,), operators=2) as running:
        running.apply(documents())
        running.wait_ready()
        running.wait_for("condition=Programmed", KINDS, "--all")
        running.wait_for_webhook()
        yield running


def call(release: Release, subscription: str = "acme-openai", **script: object) -> httpx.Response:
    auth = {"authorization": f"Bearer {release.key(subscription)}", "x-sandbox": json.dumps(script)}
    return loopback.post(release.url + CHAT, json=chat_body(), headers=auth, timeout=60)


def refusal(release: Release) -> str:
    """What the gateway answers where a rejection rule of the API applies: which version of it serves. To be waited for:
    Programmed is Envoy's word, and the gate looks for a new catalog four times a second."""
    auth = {"authorization": f"Bearer {release.key('acme-openai')}"}
    return loopback.post(release.url + CHAT, json=chat_body(model="gpt-retired"), headers=auth).text


def test_an_official_sdk_streams_and_the_ledger_is_right(release: Release) -> None:
    assert stream_text(release.url, release.key("acme-openai"))
    release.assert_exact()
    with release.billing() as billing:
        name = f"{release.team}%2Facme-openai"
        lines = billing.get(f"/v1/subscriptions/{name}/invoice").raise_for_status().json()["lines"]
    assert {line["metric"].rpartition("/")[2] for line in lines} >= {"input-tokens", "output-tokens"}


def test_a_portal_finds_its_client_secret_and_misses_its_key(release: Release) -> None:
    secret = {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "sign-in"}, "stringData": {"secret": "s"}}
    release.apply([secret], namespace=release.team)
    oidc = {"issuer": "https://id.example.com", "clientId": "portal"}
    for key, expected in (("secret", "ResolvedRefs"), ("other", "RefNotFound")):
        reference = {"name": "sign-in", "key": key}
        portal = resource("Portal", "acme", displayName="Acme", oidc={**oidc, "clientSecretKeyRef": reference})
        release.apply([portal])
        assert wait_for(lambda e=expected: release.condition("portal/acme", "ResolvedRefs")[1] == e, 10)  # type: ignore[misc]
    release.server.kubectl("delete", "portal/acme", "secret/sign-in", "-n", release.team)


def test_kubectl_shows_what_a_user_wants_to_know(release: Release) -> None:
    shown = release.server.kubectl("get", "tollgate", "-n", release.team)
    for text in ("PROGRAMMED", "openai-payg", "acme-openai"):
        assert text in shown
    status = release.server.kubectl.get("product", "openai-payg", "-n", release.team)["status"]
    assert (status["subscriptions"], status["serving"]) == (1, "current")
    assert {condition["observedGeneration"] for condition in status["conditions"]} == {1}


def test_a_mistake_in_an_expression_is_refused_at_once(release: Release) -> None:
    changed = documents()
    find(changed, "BillableMetric", "input-tokens")["spec"]["usage"][0]["quantity"] = "usage().inputt"
    with pytest.raises(KubectlError, match=r"spec.usage\[0\].quantity"):
        release.apply([find(changed, "BillableMetric", "input-tokens")])
    api = copy.deepcopy(find(changed, "API", "openai"))
    api["spec"]["rejectionRules"][0]["when"] = "request.json.model ==="
    with pytest.raises(KubectlError, match=r"spec.rejectionRules\[0\].when"):
        release.apply([api])
    assert call(release).status_code == 200


def test_a_route_that_is_taken_is_refused_and_names_its_owner(release: Release) -> None:
    twin = copy.deepcopy(find(documents(), "API", "openai"))
    twin["metadata"]["name"] = "openai-twin"
    with pytest.raises(KubectlError, match="is already the endpoint"):
        release.apply([twin])


def test_what_is_not_there_yet_is_a_warning_and_serves_once_it_is(release: Release) -> None:
    product = resource("Product", "early", endpoints=[{"api": "late"}])
    upstream = {"url": "http://sandbox.localhost"}
    api = resource("API", "late", pathPrefix="/late", upstream=upstream, endpoints=[{"name": "x", "path": "/x"}])
    release.apply([product])
    assert wait_for(lambda: release.condition("product/early", "ResolvedRefs")[:2] == ("False", "RefNotFound"), 10)
    assert "there is no API 'late'" in release.condition("product/early", "ResolvedRefs")[2]
    release.apply([api])
    release.wait_for("condition=ResolvedRefs", "product/early")
    release.wait_for("condition=Programmed", "product/early", "api/late")
    release.server.kubectl("delete", "-n", release.team, "product/early", "api/late")


def test_another_namespace_is_only_used_where_it_allows_it(release: Release) -> None:
    product = resource("Product", "borrowed", endpoints=[{"api": "openai", "namespace": "elsewhere"}])
    release.apply([product])
    assert wait_for(lambda: release.condition("product/borrowed", "ResolvedRefs")[1] == "RefNotPermitted", 10)
    release.server.kubectl("delete", "-n", release.team, "product/borrowed")


def test_an_edit_is_programmed_without_a_dropped_stream(release: Release) -> None:
    with OpenStream(release, tokens=40) as stream:
        changed = find(documents(), "API", "openai")
        changed["spec"]["rejectionRules"][0]["message"] = "Changed."
        changed["spec"]["upstream"]["timeout"] = "200s"
        release.apply([changed])
        release.wait_for("condition=Programmed", "api/openai")
        generation = release.server.kubectl.get("api/openai", "-n", release.team)["metadata"]["generation"]
        assert generation >= 2
        assert wait_for(lambda: "Changed." in refusal(release), 10)
    assert "data: [DONE]" in stream.lines
    release.apply([find(documents(), "API", "openai")])
    release.assert_exact()


def test_an_api_that_is_deleted_under_traffic_ends_its_streams_whole(release: Release) -> None:
    auth = {"authorization": f"Bearer {release.key('acme-claude')}"}
    messages = "/anthropic/v1/messages"
    body = {**chat_body(), "max_tokens": 100}

    def status() -> int:
        return loopback.post(release.url + messages, json=body, headers=auth, timeout=20).status_code

    with OpenStream(release, "acme-claude", messages, tokens=30, max_tokens=100) as stream:
        release.server.kubectl("delete", "api/anthropic", "-n", release.team)
        assert wait_for(lambda: status() == 404, 10)
        assert wait_for(lambda: release.condition("product/claude-team", "ResolvedRefs")[1] == "RefNotFound", 10)
    assert any("message_stop" in line for line in stream.lines)
    release.apply([find(documents(), "API", "anthropic")])
    release.wait_for("condition=Programmed", "api/anthropic", "product/claude-team")
    release.assert_exact()


def test_a_secret_that_changes_vanishes_or_lacks_its_key(release: Release) -> None:
    secret = copy.deepcopy(find(documents(), "Secret", "upstream-keys"))
    secret["stringData"]["openai"] = "sk-rotated"
    release.apply([secret])

    def sent() -> str:
        answer = call(release)
        entries = {e["ids"]["x-billing-request-id"]: e for e in release.journal()}
        return str(dict(entries[answer.headers["x-billing-request-id"]]["headers"])["authorization"])

    assert wait_for(lambda: sent() == "Bearer sk-rotated", 10)
    release.server.kubectl("patch", "secret", "upstream-keys", "-n", release.team, "--type=json", "-p",
                           '[{"op": "remove", "path": "/data/openai"}]')  # fmt: skip
    assert wait_for(lambda: release.condition("api/openai", "ResolvedRefs")[1] == "RefNotFound", 10)
    assert "with key 'openai'" in release.condition("api/openai", "ResolvedRefs")[2]
    assert release.condition("api/anthropic", "Programmed")[0] == "True"
    release.server.kubectl("delete", "secret", "upstream-keys", "-n", release.team)
    assert wait_for(lambda: release.condition("api/anthropic", "ResolvedRefs")[1] == "RefNotFound", 10)
    release.apply([find(documents(), "Secret", "upstream-keys")])
    release.wait_for("condition=Programmed", "api/openai", "api/anthropic")
    assert call(release).status_code == 200


def test_a_secret_that_was_there_before_its_api_is_never_called_missing(release: Release) -> None:
    """Its values are only read once something refers to it."""
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "early"}, "stringData": {"key": "sk-early"}}
    release.apply([secret])
    api = resource("API", "waits", pathPrefix="/waits", upstream={"url": "http://sandbox.localhost"})
    api["spec"]["endpoints"] = [{"name": "x", "path": "/x"}]
    api["spec"]["credential"] = {"header": "authorization", "secretKeyRef": {"name": "early", "key": "key"}}
    for _ in range(3):
        assert "there is no" not in release.apply([api])
        release.wait_for("condition=Programmed", "api/waits")
        release.server.kubectl("delete", "api/waits", "-n", release.team)
    events = release.server.kubectl.get("events", "-n", release.team)["items"]
    told = [e["reason"] for e in events if e["involvedObject"]["name"] == "waits"]
    assert told == []
    api["spec"]["credential"]["secretKeyRef"]["key"] = "other"
    release.apply([api])
    assert wait_for(lambda: release.condition("api/waits", "ResolvedRefs")[1] == "RefNotFound", 10)
    release.server.kubectl("delete", "api/waits", "secret/early", "-n", release.team)


def test_a_status_edited_by_hand_is_put_right(release: Release) -> None:
    patch = '{"status":{"conditions":[],"serving":"none","observedGeneration":99}}'
    release.server.kubectl("patch", "product", "gemini-payg", "-n", release.team, "--subresource=status",
                           "--type=merge", "-p", patch)  # fmt: skip
    release.wait_for("condition=Programmed", "product/gemini-payg")
    status = release.server.kubectl.get("product", "gemini-payg", "-n", release.team)["status"]
    assert (status["serving"], status["observedGeneration"]) == ("current", 1)


def test_a_product_in_use_does_not_go_before_its_subscriptions(release: Release) -> None:
    made = [
        resource("Product", "short", endpoints=[{"api": "openai"}]),
        resource("Price", "short-fee", product="short", currency="USD", model="flat", amount="1"),
        resource("Subscription", "short-one", product="short", customer={"id": "c"}, secretName="short-one-key"),
    ]
    release.apply(made)
    release.wait_for("condition=Programmed", "subscription/short-one")
    auth = {"authorization": f"Bearer {release.key('short-one')}"}

    def status(model: str = "gpt-5") -> int:
        return loopback.post(release.url + CHAT, json=chat_body(model=model), headers=auth, timeout=20).status_code

    for name in ("price/short-fee", "product/short"):
        release.server.kubectl("delete", name, "-n", release.team, "--wait=false")
    assert wait_for(lambda: release.condition("product/short", "Deletable")[:2] == ("False", "InUse"), 10)
    assert "short-one" in release.condition("product/short", "Deletable")[2]
    assert status() == 200
    release.server.kubectl("delete", "subscription/short-one", "-n", release.team)
    release.wait_for("delete", "product/short", "price/short-fee")
    # By a rule as long as the key is valid: a call that is served after its subscription ended is a dead letter.
    assert wait_for(lambda: status("gpt-retired") in {401, 403}, 10)


def test_a_key_is_rotated_by_annotation_and_made_again_when_its_secret_goes(release: Release) -> None:
    first = release.key("beta-gemini")
    release.server.kubectl("annotate", "subscription/beta-gemini", "-n", release.team, "tollgate.dev/rotate-key=1")
    assert wait_for(lambda: release.key("beta-gemini") != first, 15)
    release.wait_for("condition=Programmed", "subscription/beta-gemini")
    second = release.key("beta-gemini")
    url = f"{release.url}/gemini/v1beta/models/gemini-pro:generateContent"
    body = {"contents": [{"parts": [{"text": "x"}]}]}

    def works(key: str) -> bool:
        return loopback.post(url, json=body, headers={"x-goog-api-key": key}, timeout=20).status_code == 200

    assert wait_for(lambda: works(second), 10)
    assert works(first)  # for the overlap
    release.server.kubectl("delete", "secret", "beta-gemini-key", "-n", release.team)

    def made_again() -> bool:
        try:
            return release.key("beta-gemini") not in {first, second}
        except KubectlError:
            return False

    assert wait_for(made_again, 20)
    assert wait_for(lambda: works(release.key("beta-gemini")), 10)


def test_a_secret_of_somebody_else_is_not_overwritten(release: Release) -> None:
    release.server.kubectl("create", "secret", "generic", "theirs", "-n", release.team, "--from-literal=api-key=mine")
    one = resource("Subscription", "greedy", product="openai-payg", customer={"id": "c"}, secretName="theirs")
    release.apply([one])
    assert wait_for(lambda: release.condition("subscription/greedy", "Programmed")[1] == "SecretNotOwned", 15)
    assert release.key("greedy") == "mine"
    release.server.kubectl("delete", "subscription/greedy", "secret/theirs", "-n", release.team)


def test_the_cluster_is_silent_at_rest(release: Release) -> None:
    time.sleep(1)  # what is under way
    before = len(release.server.audit())
    time.sleep(6)
    written = [
        record
        for record in release.server.audit()[before:]
        if record.writes and record.resource != "leases" and release.name in record.user
    ]
    assert written == []


def test_the_operator_gone_drops_no_request_and_learns_of_edits_when_it_is_back(release: Release) -> None:
    name = release.process("operator")
    with Traffic(release, workers=4) as traffic:
        traffic.wait_for_answers(20)
        release.processes.end(name, 9)
        traffic.wait_for_answers(40)
        changed = find(documents(), "API", "openai")
        changed["spec"]["rejectionRules"][0]["message"] = "While it was away."
        release.apply([changed])
        traffic.wait_for_answers(20)
        release.start("operator")
        release.wait_for("jsonpath={.status.observedGeneration}="
                         f"{release.server.kubectl.get('api/openai', '-n', release.team)['metadata']['generation']}",
                         "api/openai")  # fmt: skip
        release.wait_for("condition=Programmed", "api/openai")
        traffic.wait_for_answers(20)
    assert set(traffic.seen.statuses) == {200}
    assert wait_for(lambda: "While it was away." in refusal(release), 10)
    release.assert_exact()


def test_a_broken_edit_serves_its_last_good_version_also_after_a_restart(release: Release) -> None:
    """The webhook is away, as is the operator; so the API server takes what it cannot know to be wrong."""
    name = release.process("operator")
    release.processes.end(name)
    changed = find(documents(), "BillableMetric", "gemini-tokens")
    changed["spec"]["usage"][0]["quantity"] = "usage().nothing"
    release.apply([changed])
    release.start("operator")
    metric = "billablemetric/gemini-tokens"
    assert wait_for(lambda: release.condition(metric, "Accepted")[0] == "False", 20)
    assert "spec.usage[0].quantity" in release.condition(metric, "Accepted")[2]
    release.apply([find(documents(), "BillableMetric", "gemini-tokens")])
    release.wait_for("condition=Programmed", metric)
    # Now wrong while it runs: the last good version serves, and is remembered.
    release.ask_webhook(False)
    release.apply([changed])
    assert wait_for(lambda: release.condition(metric, "Programmed")[1] == "NotServing", 20)
    assert release.server.kubectl.get(metric, "-n", release.team)["status"]["serving"] == "previous"
    release.processes.end(name)
    release.start("operator")
    url = f"{release.url}/gemini/v1beta/models/gemini-pro:generateContent"
    body = {"contents": [{"parts": [{"text": "x"}]}]}
    auth = {"x-goog-api-key": release.key("beta-gemini")}
    time.sleep(3)
    answer = loopback.post(url, json=body, headers=auth, timeout=20)
    assert answer.status_code == 200
    event = [e for e in _events(release, answer.headers["x-billing-request-id"]) if e["data"]["quantities"]]
    assert event, "the last good version did not count"
    release.apply([find(documents(), "BillableMetric", "gemini-tokens")])
    release.ask_webhook(True)
    release.wait_for("condition=Programmed", metric)


def _events(release: Release, request: str) -> list[Document]:
    assert wait_for(lambda: any(e["id"] == request for e in release.events()), 20), release.logs()
    return [event for event in release.events() if event["id"] == request]


@pytest.mark.slow
def test_two_operators_never_fight_and_one_takes_over(release: Release) -> None:
    release.start("operator", replica=1)
    time.sleep(3)
    before = len(release.server.audit())
    time.sleep(4)
    written = [r for r in release.server.audit()[before:] if r.writes and release.name in r.user]
    assert {record.resource for record in written} <= {"leases"}
    assert all(record.code == 200 for record in written)
    with Traffic(release, workers=4) as traffic:
        traffic.wait_for_answers(10)
        release.processes.end(release.process("operator"), 9)
        changed = find(documents(), "API", "openai")
        changed["spec"]["rejectionRules"][0]["message"] = "From the other one."
        release.apply([changed])
        release.wait_for("condition=Programmed", "api/openai", seconds=40)
        traffic.wait_for_answers(10)
    assert set(traffic.seen.statuses) == {200}
    assert wait_for(lambda: "From the other one." in refusal(release), 20)
    release.start("operator")
    release.processes.end(release.process("operator", 1))


@pytest.mark.slow
def test_the_api_server_away_stops_nothing_and_edits_follow(release: Release) -> None:
    with Traffic(release, workers=4) as traffic:
        traffic.wait_for_answers(10)
        release.server.stop_apiserver()
        traffic.wait_for_answers(40)
        release.server.start_apiserver()
        release.apply([find(documents(), "API", "openai")])
        release.wait_for("condition=Programmed", "api/openai", seconds=60)
        traffic.wait_for_answers(10)
    assert set(traffic.seen.statuses) == {200}
    assert wait_for(lambda: "This model is retired" in refusal(release), 30)
    release.assert_exact()


def test_an_api_cannot_drain_the_pod_that_calls_its_upstream(release: Release) -> None:
    """With the address of the witness, which it may not even have."""
    own = f"http://127.0.0.1:{release.port(9100)}"
    api = resource("API", "own", pathPrefix="/own", upstream={"url": own})
    api["spec"]["endpoints"] = [{"name": "drain", "path": "/drain", "method": "GET"}]
    with pytest.raises(KubectlError, match="no API may call"):
        release.apply([api])
    release.ask_webhook(False)
    release.apply([api])
    assert wait_for(lambda: release.condition("api/own", "Accepted")[:2] == ("False", "Invalid"), 15)
    release.ask_webhook(True)
    release.server.kubectl("delete", "api/own", "-n", release.team)
    assert loopback.get(f"{own}/drain").status_code == 404
    assert loopback.get(f"http://127.0.0.1:{release.port(9902)}/ready").status_code == 200


def test_a_pod_that_is_to_end_finishes_its_streams_and_takes_no_new_connection(release: Release) -> None:
    said: list[str] = []
    hooks = threading.Thread(target=lambda: said.extend(release.drain()))
    probe = f"http://127.0.0.1:{release.port(9902)}/ready"
    with OpenStream(release, tokens=30, delay_ms=200) as stream:
        hooks.start()
        assert wait_for(lambda: loopback.get(probe, timeout=5).status_code == 503, 20), release.logs()
        assert not said, "the stream still runs"
    assert "data: [DONE]" in stream.lines
    hooks.join(30)
    assert said == ["drained\n", "drained\n"]
    for container in ("envoy", "witness", "extproc-0"):
        release.processes.end(release.process(container))
    release.start("gateway")
    release.wait_ready()
    assert call(release).status_code == 200
    release.assert_exact()


@pytest.mark.parametrize(
    "forbidden",
    [
        "delete apis.tollgate.dev",
        "create products.tollgate.dev",
        "get pods --subresource=exec",
        "create pods",
        "list secrets -n kube-system",
        "create clusterrolebindings",
        "escalate roles",
        "impersonate users",
        "delete namespaces",
        "update validatingwebhookconfigurations/other",
        "update deployments",
        "get nodes",
    ],
)
def test_the_operator_may_do_nothing_else(release: Release, forbidden: str) -> None:
    account = f"system:serviceaccount:{release.namespace}:{release.name}-operator"
    verb, kind, *more = forbidden.split()
    namespace = [] if "-n" in more else ["-n", release.team]
    with pytest.raises(KubectlError) as refused:
        release.server.kubectl("auth", "can-i", verb, kind, *more, *namespace, f"--as={account}")
    assert "yes" not in str(refused.value)


@pytest.mark.slow
def test_a_deleted_namespace_takes_all_with_it(release: Release) -> None:
    """Products in use among it: their subscriptions go as well, so nothing holds them."""
    release.server.kubectl("delete", "namespace", release.team, timeout=120)
    key = "tg_live_" + "0" * 38
    assert wait_for(
        lambda: (
            loopback.post(release.url + CHAT, json=chat_body(), headers={"authorization": f"Bearer {key}"}).status_code
            in {401, 404}
        ),
        10,
    )
