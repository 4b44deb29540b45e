"""The chart on a real API server: what it makes is accepted, stays as it was rendered, and goes."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.chart.test_goldens import FILES
from tests.support.helm import CHART, Helm, Object, find, pod_spec
from tests.support.kubernetes import ApiServer, KubectlError
from tests.support.kubernetes.kubectl import Kubectl
from tollgate_cli.laptop.system import wait_for

RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
#: Kinds of others that a plain API server does not have.
FOREIGN = {"PodMonitor", "ServiceMonitor", "HTTPRoute"}


@pytest.fixture
def namespace(api_server: ApiServer) -> str:
    """It lets nothing in that Pod Security `restricted` refuses, and warns of workloads that would make such pods."""
    return api_server.namespace("chart", RESTRICTED)


@pytest.fixture
def installer(api_server: ApiServer, helm: Helm, tmp_path: Path) -> Helm:
    """Helm as the administrator."""
    return Helm(helm.program, tmp_path / "helm", api_server.kubeconfig)


def _install(installer: Helm, namespace: str, *arguments: str, release: str = "tollgate") -> None:
    installer("install", release, str(CHART), "--namespace", namespace, *arguments)


def _drift(rendered: Any, live: Any, path: str = "") -> list[str]:
    """Where the API server stored something else than what was written."""
    if isinstance(rendered, dict) and isinstance(live, dict):
        return [d for key in rendered for d in _drift(rendered[key], live.get(key), f"{path}.{key}")]
    if isinstance(rendered, list) and isinstance(live, list) and len(rendered) == len(live):
        return [d for n, (r, v) in enumerate(zip(rendered, live, strict=True)) for d in _drift(r, v, f"{path}[{n}]")]
    return [] if rendered == live else [f"{path}: {rendered!r} became {live!r}"]


@pytest.mark.parametrize("case", FILES)
def test_every_value_set_is_accepted_as_it_is(api_server: ApiServer, helm: Helm, namespace: str, case: str) -> None:
    """No warning, no unknown field, and no field that defaulting or normalising changes: GitOps tools see no drift."""
    objects = [o for o in helm.objects("--values", str(FILES[case]), namespace=namespace) if o["kind"] not in FOREIGN]
    for other in {o["metadata"].get("namespace", namespace) for o in objects} - {namespace}:
        if other not in api_server.kubectl("get", "namespaces", "-o", "name"):
            api_server.kubectl("create", "namespace", other)
    (test,) = [o for o in objects if o["kind"] == "Pod"]
    account = test["spec"]["serviceAccountName"]  # of an earlier object, which a dry run does not make
    api_server.kubectl("create", "serviceaccount", account, "-n", namespace)
    command = [str(api_server.kubectl.program), f"--kubeconfig={api_server.kubeconfig}"]
    command += ["apply", "--server-side", "--dry-run=server", "--validate=strict", "-o", "json", "-f", "-"]
    result = subprocess.run(command, input=yaml.safe_dump_all(objects), capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stderr == "", "the API server warned"
    stored: list[Object] = json.loads(result.stdout)["items"]
    for rendered, live in zip(objects, stored, strict=True):
        rendered.pop("stringData", None)
        if rendered["kind"] == "Pod":
            continue  # a hook, which nothing compares
        assert _drift(rendered, live, rendered["kind"]) == []


def test_install_upgrade_rollback_uninstall(
    api_server: ApiServer, installer: Helm, namespace: str, tmp_path: Path
) -> None:
    kubectl = api_server.kubectl
    _install(installer, namespace)
    assert "arning" not in installer.said
    assert kubectl.get("crd", "apis.tollgate.dev")["metadata"]["name"]
    deployments = kubectl.get("deployments", "-n", namespace)["items"]
    assert {d["metadata"]["name"] for d in deployments} == {
        f"tollgate-{part}" for part in ("operator", "gateway", "billing", "sandbox")
    }

    first = _gateway(kubectl, namespace)
    installer("upgrade", "tollgate", str(CHART), "-n", namespace, "--set", "gateway.envoy.maxConnections=7")
    second = _gateway(kubectl, namespace)
    assert _annotations(second) != _annotations(first), "a changed bootstrap rolls the pods"
    installer("upgrade", "tollgate", str(CHART), "-n", namespace, "--set", "gateway.envoy.maxConnections=7")
    assert _gateway(kubectl, namespace)["metadata"]["generation"] == second["metadata"]["generation"]
    installer("rollback", "tollgate", "1", "-n", namespace)
    assert _annotations(_gateway(kubectl, namespace)) == _annotations(first)

    _bootstrap(api_server, namespace)
    secrets = _names(kubectl, "secrets", namespace)
    assert {f"tollgate-{s}" for s in ("keys", "ca", "operator-tls", "gateway-tls", "billing-tls")} <= secrets
    installer("uninstall", "tollgate", "-n", namespace)
    kubectl("wait", "--for=delete", "secret/tollgate-keys", "secret/tollgate-ca", "-n", namespace, "--timeout=60s")
    assert _leftovers(kubectl, namespace, tmp_path / "cache") == {"persistentvolumeclaim/tollgate-billing"}
    assert kubectl.get("crd", "apis.tollgate.dev")["metadata"]["name"], "CRDs stay, and with them what users made"

    _install(installer, namespace)
    assert _names(kubectl, "persistentvolumeclaims", namespace) == {"tollgate-billing"}
    installer("uninstall", "tollgate", "-n", namespace)


def _gateway(kubectl: Kubectl, namespace: str) -> Object:
    found: Object = kubectl.get("deployment", "tollgate-gateway", "-n", namespace)
    return found


def _annotations(deployment: Object) -> Object:
    found: Object = deployment["spec"]["template"]["metadata"]["annotations"]
    return found


def _names(kubectl: Kubectl, kind: str, namespace: str) -> set[str]:
    return {o["metadata"]["name"] for o in kubectl.get(kind, "-n", namespace)["items"]}


def _leftovers(kubectl: Kubectl, namespace: str, cache: Path) -> set[str]:
    """Everything that there is in the namespace, and what carries the release's label outside of it.

    With a cache of its own: what `api-resources` sees now, kinds of other tests among it, is not for them to find."""
    list_ = ("api-resources", "--verbs=list", "-o", "name", f"--cache-dir={cache}")
    get = ("get", "-o", "name", "--ignore-not-found", f"--cache-dir={cache}")
    here = kubectl(*get, ",".join(kubectl(*list_, "--namespaced").split()), "-n", namespace).split()
    cluster_scoped = ",".join(kubectl(*list_, "--namespaced=false").split())
    there = kubectl(*get, cluster_scoped, "-l", "app.kubernetes.io/instance=tollgate").split()
    return {o for o in [*here, *there] if o != "serviceaccount/default" and not o.startswith("event")}


def _bootstrap(api_server: ApiServer, namespace: str) -> None:
    """The operator's init container, as its pod would run it: the pod's environment and the pod's rights."""
    deployment = api_server.kubectl.get("deployment", "tollgate-operator", "-n", namespace)
    spec = pod_spec(deployment) or {}
    (container,) = spec["initContainers"]
    fields = {"metadata.namespace": namespace, "metadata.name": "tollgate-operator-0"}
    environment = {
        e["name"]: e["value"] if "value" in e else fields[e["valueFrom"]["fieldRef"]["fieldPath"]]
        for e in container["env"]
    }
    kubeconfig = api_server.kubeconfig_for(spec["serviceAccountName"], namespace)
    program = Path(sys.executable).parent / container["command"][0]
    result = subprocess.run(
        [str(program), *container["args"]],
        env={"PATH": os.environ["PATH"], "KUBECONFIG": str(kubeconfig), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.slow
def test_the_pepper_outlives_a_deployment_and_where_it_is_retained_the_release(
    api_server: ApiServer, installer: Helm, namespace: str
) -> None:
    kubectl = api_server.kubectl
    both = {"tollgate-operator", "tollgate-billing"}
    _install(installer, namespace)
    _bootstrap(api_server, namespace)
    pepper = _keys(kubectl, namespace)["data"]["key-pepper"]
    for secret in ("tollgate-keys", "tollgate-ca"):
        assert _owners(kubectl, namespace, secret) == both

    kubectl("delete", "deployment", "tollgate-operator", "-n", namespace)
    # The garbage collector looked, and left them to the other owner.
    made = ("tollgate-keys", "tollgate-ca")
    assert wait_for(lambda: all(_owners(kubectl, namespace, s) == {"tollgate-billing"} for s in made), 30)
    installer("upgrade", "tollgate", str(CHART), "-n", namespace)
    _bootstrap(api_server, namespace)
    assert _owners(kubectl, namespace, "tollgate-keys") == both
    assert _keys(kubectl, namespace)["data"]["key-pepper"] == pepper

    installer("upgrade", "tollgate", str(CHART), "-n", namespace, "--set", "keys.retain=true")
    _bootstrap(api_server, namespace)
    assert _owners(kubectl, namespace, "tollgate-keys") == set()
    installer("uninstall", "tollgate", "-n", namespace)
    kubectl("wait", "--for=delete", "secret/tollgate-ca", "-n", namespace, "--timeout=60s")
    _install(installer, namespace)
    _bootstrap(api_server, namespace)
    assert _keys(kubectl, namespace)["data"]["key-pepper"] == pepper
    installer("uninstall", "tollgate", "-n", namespace)


@pytest.mark.slow
def test_a_secret_with_one_owner_gets_the_other_and_one_of_an_administrator_none(
    api_server: ApiServer, installer: Helm, namespace: str
) -> None:
    kubectl = api_server.kubectl
    _install(installer, namespace)
    values = ("--from-literal=key-pepper=p", "--from-literal=admin-token=t", "--from-literal=redis-password=r")
    kubectl("create", "secret", "generic", "tollgate-keys", "-n", namespace, *values)
    _bootstrap(api_server, namespace)
    assert _owners(kubectl, namespace, "tollgate-keys") == set()
    owners = kubectl.get("secret", "tollgate-ca", "-n", namespace)["metadata"]["ownerReferences"]
    patch = {"metadata": {"ownerReferences": [o for o in owners if o["name"] == "tollgate-operator"]}}
    kubectl("patch", "secret", "tollgate-ca", "-n", namespace, "--type=merge", "-p", json.dumps(patch))
    _bootstrap(api_server, namespace)
    assert _owners(kubectl, namespace, "tollgate-ca") == {"tollgate-operator", "tollgate-billing"}
    installer("uninstall", "tollgate", "-n", namespace)


def _keys(kubectl: Kubectl, namespace: str) -> Object:
    found: Object = kubectl.get("secret", "tollgate-keys", "-n", namespace)
    return found


def _owners(kubectl: Kubectl, namespace: str, secret: str) -> set[str]:
    metadata = kubectl.get("secret", secret, "-n", namespace)["metadata"]
    return {owner["name"] for owner in metadata.get("ownerReferences", [])}


@pytest.mark.slow
def test_two_releases_stand_beside_each_other(api_server: ApiServer, installer: Helm) -> None:
    one, other = (api_server.namespace("chart", RESTRICTED) for _ in range(2))
    try:
        _install(installer, one)
        _install(installer, other)
        _install(installer, other, release="second")
        assert "second-tollgate-gateway" in _names(api_server.kubectl, "deployments", other)
    finally:
        for release, namespace in (("tollgate", one), ("tollgate", other), ("second", other)):
            installer("uninstall", release, "-n", namespace, "--ignore-not-found")


#: verb, resource, where ("" is the release's namespace, "elsewhere" another, "-" the cluster), whether it is granted
#: with all namespaces watched, and with one of them watched.
RIGHTS = [
    ("list", "apis.tollgate.dev", "elsewhere", True, False),
    ("patch", "subscriptions.tollgate.dev", "elsewhere", True, False),
    ("patch", "subscriptions.tollgate.dev/status", "elsewhere", True, False),
    ("create", "subscriptions.tollgate.dev", "elsewhere", False, False),
    ("delete", "subscriptions.tollgate.dev", "elsewhere", False, False),
    ("patch", "subscriptions.tollgate.dev", "watched", True, True),
    ("delete", "secrets", "watched", False, False),
    ("get", "secrets", "elsewhere", True, False),
    ("watch", "services", "watched", True, True),
    ("create", "events", "watched", True, True),
    ("patch", "secrets", "watched", True, True),
    ("update", "secrets", "watched", False, False),
    ("patch", "products.tollgate.dev", "elsewhere", True, True),
    ("get", "products.tollgate.dev", "elsewhere", True, False),
    ("create", "secrets", "", True, True),
    ("patch", "leases.coordination.k8s.io", "", True, True),
    ("patch", "leases.coordination.k8s.io", "elsewhere", False, False),
    ("create", "configmaps", "", True, True),
    ("get", "configmaps", "elsewhere", False, False),
    ("get", "deployments.apps/tollgate-operator", "", True, True),
    ("get", "deployments.apps/tollgate-billing", "", True, True),
    ("get", "deployments.apps/tollgate-gateway", "", False, False),
    ("list", "deployments.apps", "", False, False),
    ("get", "pods", "", False, False),
    ("list", "pods", "", False, False),
    ("create", "pods", "", False, False),
    ("list", "customresourcedefinitions", "-", False, False),
    ("patch", "customresourcedefinitions", "-", False, False),
    ("watch", "namespaces", "-", False, False),
    ("get", "namespaces/WATCHED", "-", False, True),
    ("get", "namespaces/default", "-", False, False),
    ("patch", "validatingwebhookconfigurations/tollgate-NAMESPACE", "-", True, True),
    ("patch", "validatingwebhookconfigurations/another", "-", False, False),
    ("create", "clusterrolebindings", "-", False, False),
    ("impersonate", "users", "-", False, False),
]


@pytest.mark.parametrize("watched", [False, True], ids=["all namespaces", "one namespace"])
def test_the_operator_may_do_what_it_needs_and_no_more(
    api_server: ApiServer, installer: Helm, namespace: str, watched: bool, tmp_path: Path
) -> None:
    places = {"": namespace, "elsewhere": "default", "watched": api_server.namespace("watched")}
    choice = ["--set", f"watchNamespaces={{{places['watched']}}}"] if watched else []
    _install(installer, namespace, *choice)
    wrong = []
    for verb, resource, where, *expected in RIGHTS:
        scope = ["-n", places[where]] if where != "-" else []
        name = resource.replace("NAMESPACE", namespace).replace("WATCHED", places["watched"])
        sub = ["--subresource=status"] if name.endswith("/status") else []
        arguments = ["auth", "can-i", verb, name.removesuffix("/status"), *sub, *scope]
        arguments += [f"--as=system:serviceaccount:{namespace}:tollgate-operator"]
        # kubectl looks again when it does not know a resource ("users"): as above, not for others to see.
        arguments += [f"--cache-dir={tmp_path / 'cache'}"]
        try:
            allowed = api_server.kubectl(*arguments).split()[0] == "yes"
        except KubectlError:
            allowed = False
        if allowed != expected[watched]:
            wrong.append((verb, resource, where, allowed))
    installer("uninstall", "tollgate", "-n", namespace)
    assert wrong == []


def test_the_others_may_do_nothing(api_server: ApiServer, installer: Helm, namespace: str) -> None:
    _install(installer, namespace)
    for account in ("gateway", "billing", "valkey", "sandbox"):
        user = f"system:serviceaccount:{namespace}:tollgate-{account}"
        rights = api_server.kubectl("auth", "can-i", "--list", f"--as={user}", "-n", namespace, "--no-headers")
        granted = [line for line in rights.splitlines() if not re.search(r"selfsubject|^ +\[/", line)]
        assert granted == [], account
    installer("uninstall", "tollgate", "-n", namespace)


def test_notes_say_commands_that_fit(helm: Helm) -> None:
    """`helm template` does not render them."""
    notes = helm("install", "prod", str(CHART), "-n", "llm", "--dry-run=client", "--set", "gateway.tls.secretName=cert")
    for line in (
        "kubectl -n llm port-forward service/prod-tollgate-gateway 10080:443",
        "curl -ik https://127.0.0.1:10080/",
        "helm test prod -n llm",
        "Secret prod-tollgate-keys",
        "THIS IS A TRIAL",
    ):
        assert line in notes
    values = str(FILES["production"])
    notes = helm("install", "prod", str(CHART), "-n", "llm", "--dry-run=client", "--values", values)
    assert "TRIAL" not in notes
    assert "simulated" not in notes


def test_the_trial_is_what_the_readme_says(helm: Helm) -> None:
    objects = helm.objects()
    operator = pod_spec(find(objects, "Deployment", "tollgate-operator")) or {}
    environment = {e["name"]: e.get("value") for e in operator["containers"][0]["env"]}
    assert environment["TOLLGATE_HOST_ALIASES"] == "sandbox.localhost=tollgate-sandbox.tollgate.svc:8080"
    assert environment["TOLLGATE_GATES"] == "unix:/run/tollgate/gate0.sock"
