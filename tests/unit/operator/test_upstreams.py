"""Where an API may not lead: to the gateway's own machine in a cluster, to a Service of others without their leave."""

from dataclasses import replace

import pytest

from tests.support.manifests import Document
from tests.unit.operator.cluster.objects import api, store_of, stored
from tests.unit.operator.test_reconcile import SETTINGS
from tollgate_operator.control_loop import State, reconcile
from tollgate_operator.envoy import GatewaySettings

IN_CLUSTER = replace(SETTINGS, local_upstreams=False)


def state(url: str, settings: GatewaySettings = IN_CLUSTER, *more: Document) -> State:
    document = api("a")
    document["spec"]["upstream"] = {"url": url}
    return reconcile(store_of(document, *(stored(m) for m in more)).loaded(), None, settings)


def conditions(found: State) -> dict[str, tuple[bool | None, str, str]]:
    return {c.type: (c.status, c.reason, c.message) for c in found.statuses["API", "a"].conditions}


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:9100", "127.8.9.1", "localhost", "x.localhost:8080", "[::1]:9902", "0.0.0.0", "[::]",
        "169.254.169.254", "[fe80::1]", "[::ffff:127.0.0.1]", "127.1", "2130706433", "0x7f.0.0.1", "0:10080",
    ],
)  # fmt: skip
def test_the_gateways_own_machine_is_no_upstream_in_a_cluster(host: str) -> None:
    found = state(f"http://{host}/v1")
    accepted, reason, message = conditions(found)["Accepted"]
    assert (accepted, reason, found.statuses["API", "a"].serving) == (False, "Invalid", "none")
    assert message.startswith("spec.upstream.url: ")
    assert conditions(state(f"http://{host}/v1", SETTINGS))["Accepted"][0], "a laptop's upstreams are there"


@pytest.mark.parametrize("host", ["api.openai.com", "10.0.0.7:8000", "[fd00::7]", "sandbox.localhost", "localhost.dev"])
def test_other_addresses_and_an_administrators_aliases_are(host: str) -> None:
    assert conditions(state(f"https://{host}"))["Accepted"][0]


GRANT: Document = {
    "apiVersion": "gateway.networking.k8s.io/v1beta1",
    "kind": "ReferenceGrant",
    "metadata": {"name": "g", "namespace": "models"},
    "spec": {
        "from": [{"group": "tollgate.dev", "kind": "API", "namespace": "default"}],
        "to": [{"group": "", "kind": "Service"}],
    },
}


@pytest.mark.parametrize("suffix", ["svc", "svc.cluster.local"])
@pytest.mark.parametrize("pod", ["", "pod-0."])
def test_a_service_of_another_namespace_needs_its_leave_also_by_url(suffix: str, pod: str) -> None:
    url = f"http://{pod}vllm.models.{suffix}:8000"
    assert conditions(state(url))["ResolvedRefs"][:2] == (False, "RefNotPermitted")
    assert "spec.upstream.url" in conditions(state(url))["ResolvedRefs"][2]
    assert conditions(state(url, IN_CLUSTER, GRANT))["ResolvedRefs"][0]
    assert conditions(state(url.replace("models", "default")))["ResolvedRefs"][0]


def test_a_short_name_of_a_service_needs_leave_as_well() -> None:
    there: Document = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "another", "namespace": "models"},
        "spec": {"ports": [{"port": 8000}]},
    }
    url = "http://vllm.models:8000"
    assert conditions(state(url))["ResolvedRefs"][0], "no such namespace: a name on the internet"
    assert conditions(state(url, IN_CLUSTER, there))["ResolvedRefs"][:2] == (False, "RefNotPermitted")
    assert conditions(state(url, IN_CLUSTER, there, GRANT))["ResolvedRefs"][0]


def test_a_name_without_a_namespace_is_refused_in_a_cluster() -> None:
    """It would be looked up beside the gateway, whoever asks."""
    accepted, _, message = conditions(state("http://tollgate-valkey:6379"))["Accepted"]
    assert (accepted, "tollgate-valkey.NAMESPACE.svc" in message) == (False, True)
    assert conditions(state("http://tollgate-valkey:6379", SETTINGS))["Accepted"][0]
