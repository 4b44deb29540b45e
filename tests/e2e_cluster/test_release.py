"""The chart on a real cluster: pods run, a stream is metered and billed, upgrades and killed pods lose nothing."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.e2e_cluster.cluster import NAME, Cluster
from tests.support.calls import CHAT, chat_body
from tests.support.helm import CHART
from tests.support.sdk import stream_text

pytestmark = pytest.mark.timeout(900)


def _eventually(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(1)
    return True


def _call(port: int, key: str, **script: object) -> httpx.Response:
    return httpx.post(
        f"http://127.0.0.1:{port}{CHAT}",
        headers={"authorization": f"Bearer {key}", "x-sandbox": json.dumps(script)},
        json=chat_body(),
        timeout=120,
        trust_env=False,
    )


def _is_exact(cluster: Cluster) -> bool:
    """The ledger follows within seconds."""
    return _eventually(lambda: not cluster.differences(), 60)


def test_every_pod_is_ready_in_a_restricted_namespace(cluster: Cluster) -> None:
    pods = cluster.get("pods", "-l", f"app.kubernetes.io/instance={NAME}")["items"]
    assert {p["metadata"]["labels"]["app.kubernetes.io/component"] for p in pods} == {
        "operator", "gateway", "billing", "valkey", "sandbox",
    }  # fmt: skip
    for pod in pods:
        assert all(status["ready"] for status in pod["status"]["containerStatuses"]), pod["metadata"]["name"]


def test_helm_test_passes(cluster: Cluster) -> None:
    assert "Succeeded" in cluster.helm("test", NAME)


def test_an_official_sdk_streams_and_the_ledger_is_right(cluster: Cluster) -> None:
    key = cluster.key("acme-openai")
    with cluster.forward(f"service/{NAME}-gateway", 80) as port:
        assert stream_text(f"http://127.0.0.1:{port}", key)
        assert _call(port, "wrong").status_code == 401
    assert _eventually(lambda: len(cluster.events()) > 0, 60)
    assert _is_exact(cluster), cluster.differences()


def test_an_upgrade_drops_no_stream(cluster: Cluster) -> None:
    """Every gateway pod is replaced while 32 streams are open through the old one."""
    key = cluster.key("acme-openai")
    before = cluster.pods("gateway")
    with cluster.forward(f"pod/{before[0]}", 10080) as port, ThreadPoolExecutor(32) as pool:
        calls = [pool.submit(_call, port, key, tokens=40, delay_ms=500) for _ in range(32)]
        time.sleep(2)
        cluster.helm(
            "upgrade", NAME, str(CHART), "--reuse-values", "--set-string", "gateway.podAnnotations.roll=1", "--wait"
        )  # fmt: skip
        answers = [call.result() for call in calls]
    assert [a.status_code for a in answers] == [200] * 32
    assert all("[DONE]" in a.text for a in answers)
    assert set(cluster.pods("gateway")).isdisjoint(before)
    assert _is_exact(cluster), cluster.differences()


@pytest.mark.parametrize("component", ["operator", "billing", "valkey", "gateway"])
def test_a_killed_pod_loses_nothing(cluster: Cluster, component: str) -> None:
    key = cluster.key("acme-openai")
    with cluster.forward(f"service/{NAME}-gateway", 80) as port:
        assert _call(port, key, tokens=20).status_code == 200
    for pod in cluster.pods(component):
        cluster.kubectl(
            "delete", "pod", pod, "--wait=false", *(["--grace-period=0", "--force"] if component != "gateway" else [])
        )
    kind = "statefulset" if component == "valkey" else "deployment"
    cluster.kubectl("rollout", "status", f"{kind}/{NAME}-{component}", "--timeout=180s")
    cluster.kubectl("wait", "--for=condition=Available", f"deployment/{NAME}-gateway", "--timeout=180s")

    def serves() -> bool:
        with cluster.forward(f"service/{NAME}-gateway", 80) as port:
            return _call(port, key, tokens=20).status_code == 200

    assert _eventually(serves, 90)
    assert _is_exact(cluster), cluster.differences()


def test_uninstall_leaves_only_claims(cluster: Cluster) -> None:
    """Last, in this file's order."""
    for kind in ("subscription", "price,product,billablemetric,api"):
        cluster.kubectl("delete", kind, "--all", "--timeout=90s")
    cluster.helm("uninstall", NAME, "--wait")

    def left() -> list[str]:
        kinds = (
            "pods,deployments,statefulsets,services,configmaps,secrets,roles,rolebindings,leases,persistentvolumeclaims"
        )
        names = cluster.kubectl("get", kinds, "-o", "name").split()
        of_users = {"secret/upstream-keys", "secret/stripe-keys", "secret/paddle-keys"}
        return [n for n in names if n not in of_users | {"configmap/kube-root-ca.crt"}]

    expected = [f"persistentvolumeclaim/data-{NAME}-valkey-0", f"persistentvolumeclaim/{NAME}-billing"]
    assert _eventually(lambda: sorted(left()) == expected, 120), left()
