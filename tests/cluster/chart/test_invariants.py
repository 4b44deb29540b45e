"""What holds for every object of every value set."""

import re
from collections.abc import Iterator
from typing import Any

from tests.support.helm import Object, pod_spec


def _pods(objects: list[Object]) -> Iterator[tuple[str, Object]]:
    for document in objects:
        if spec := pod_spec(document):
            yield document["metadata"]["name"], spec


def _containers(spec: Object) -> Iterator[Object]:
    yield from spec.get("initContainers", [])
    yield from spec["containers"]


def _all(objects: list[Object]) -> Iterator[tuple[str, Object]]:
    for name, spec in _pods(objects):
        for container in _containers(spec):
            yield f"{name}/{container['name']}", container


def test_every_pod_is_restricted(rendered: list[Object]) -> None:
    for name, spec in _pods(rendered):
        security = spec["securityContext"]
        assert security["runAsNonRoot"] is True, name
        assert security["runAsUser"] == security["runAsGroup"] == security["fsGroup"] == 65532, name
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys(), name
        assert not [v for v in spec.get("volumes", []) if "hostPath" in v], name
    for name, container in _all(rendered):
        security = container["securityContext"]
        assert security["allowPrivilegeEscalation"] is False, name
        assert security["readOnlyRootFilesystem"] is True, name
        assert security["capabilities"] == {"drop": ["ALL"]}, name
        assert "/tmp" in {mount["mountPath"] for mount in container["volumeMounts"]}, name


def test_every_container_says_what_it_needs(rendered: list[Object]) -> None:
    for name, container in _all(rendered):
        assert {"cpu", "memory"} <= container["resources"]["requests"].keys(), name
        assert "memory" in container["resources"]["limits"], name
        assert "cpu" not in container["resources"]["limits"], name


def test_every_process_is_probed(rendered: list[Object]) -> None:
    for name, container in _all(rendered):
        if name.endswith(("/bootstrap", "/test")):
            continue
        assert {"startupProbe", "readinessProbe", "livenessProbe"} <= container.keys(), name


def test_only_the_operator_has_a_token(rendered: list[Object]) -> None:
    tokens = {name for name, spec in _pods(rendered) if spec["automountServiceAccountToken"]}
    assert tokens == {o["metadata"]["name"] for o in rendered if o["metadata"]["name"].endswith("-operator")}
    for document in rendered:
        if document["kind"] == "ServiceAccount":
            assert document["automountServiceAccountToken"] is False


def test_no_service_of_the_namespace_becomes_a_setting(rendered: list[Object]) -> None:
    """TOLLGATE_GATEWAY_PORT is what Kubernetes would set for a Service called tollgate-gateway."""
    assert all(spec["enableServiceLinks"] is False for _, spec in _pods(rendered))


def test_images_are_pinned_to_a_version(rendered: list[Object]) -> None:
    for name, container in _all(rendered):
        assert re.search(r":(?!latest)[\w.-]+(@sha256:[0-9a-f]{64})?$", container["image"]), name


def test_rights_are_named_one_by_one(rendered: list[Object]) -> None:
    rules: list[dict[str, Any]] = [
        rule for o in rendered if o["kind"] in {"Role", "ClusterRole"} for rule in o.get("rules", [])
    ]
    assert rules
    for rule in rules:
        assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]
        assert not {"escalate", "bind", "impersonate"} & set(rule["verbs"])
        assert "nonResourceURLs" not in rule
        # Rights to make pods or rights would be rights to everything.
        assert not {"roles", "clusterroles", "rolebindings", "pods/exec", "serviceaccounts"} & set(rule["resources"])
        assert rule["resources"] != ["pods"] or rule["verbs"] == ["get"]
    for binding in (o for o in rendered if o["kind"] in {"RoleBinding", "ClusterRoleBinding"}):
        assert [s["name"].endswith("-operator") for s in binding["subjects"]] == [True]


def test_every_volume_that_is_mounted_is_there(rendered: list[Object]) -> None:
    claims = {
        f"{o['metadata']['name']}/{t['metadata']['name']}"
        for o in rendered
        for t in o.get("spec", {}).get("volumeClaimTemplates", [])
    }
    for name, spec in _pods(rendered):
        there = {v["name"] for v in spec.get("volumes", [])}
        there |= {claim.split("/")[1] for claim in claims if claim.startswith(f"{name}/")}
        for container in _containers(spec):
            assert {m["name"] for m in container["volumeMounts"]} <= there, name


def test_services_find_their_pods(rendered: list[Object]) -> None:
    workloads = [o for o in rendered if o["kind"] in {"Deployment", "StatefulSet"}]
    for service in (o for o in rendered if o["kind"] == "Service"):
        selector = service["spec"]["selector"].items()
        (workload,) = [w for w in workloads if selector <= w["spec"]["template"]["metadata"]["labels"].items()]
        ports = {p["name"] for c in _containers(pod_spec(workload) or {}) for p in c.get("ports", [])}
        assert {p["targetPort"] for p in service["spec"]["ports"]} <= ports


def test_selectors_never_change_with_the_version(rendered: list[Object]) -> None:
    for document in rendered:
        if document["kind"] in {"Deployment", "StatefulSet"}:
            keys = document["spec"]["selector"]["matchLabels"].keys()
            assert keys == {f"app.kubernetes.io/{part}" for part in ("name", "instance", "component")}


def test_every_object_is_labelled_and_in_its_namespace(rendered: list[Object]) -> None:
    cluster_scoped = {"ClusterRole", "ClusterRoleBinding", "ValidatingWebhookConfiguration"}
    for document in rendered:
        assert document["metadata"]["labels"]["app.kubernetes.io/instance"] == "tollgate"
        assert ("namespace" in document["metadata"]) == (document["kind"] not in cluster_scoped)


def test_the_only_hook_is_the_test(rendered: list[Object]) -> None:
    hooks = [o for o in rendered if "helm.sh/hook" in (o["metadata"].get("annotations") or {})]
    assert [(o["kind"], o["metadata"]["annotations"]["helm.sh/hook"]) for o in hooks] == [("Pod", "test")]


def test_the_gateway_replaces_a_pod_before_it_ends_one(rendered: list[Object]) -> None:
    (gateway,) = [o for o in rendered if o["kind"] == "Deployment" and o["metadata"]["name"].endswith("-gateway")]
    assert gateway["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    spec = gateway["spec"]["template"]["spec"]
    (envoy,) = spec["containers"]
    drain = int(envoy["args"][envoy["args"].index("--drain-time-s") + 1])
    assert spec["terminationGracePeriodSeconds"] > drain
    assert envoy["lifecycle"]["preStop"]["httpGet"] == {"path": "/drained", "port": 9100, "scheme": "HTTP"}
    (witness,) = [c for c in spec["initContainers"] if c["name"] == "witness"]
    assert witness["lifecycle"]["preStop"]["exec"] == {"command": ["tollgate-witness", "drain"]}
    assert [c["restartPolicy"] for c in spec["initContainers"]] == ["Always"] * len(spec["initContainers"])
