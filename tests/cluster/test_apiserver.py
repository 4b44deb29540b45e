"""The API server that the tests stand on does what they rely on."""

import pytest

from tests.support.kubernetes import ApiServer, KubectlError
from tests.support.kubernetes.kubectl import Kubectl


def test_it_is_the_version_that_is_pinned(api_server: ApiServer) -> None:
    assert "Server Version: v1." in api_server.kubectl("version")


def test_a_service_account_has_its_own_rights_only(api_server: ApiServer) -> None:
    namespace = api_server.namespace()
    api_server.kubectl("create", "serviceaccount", "reader", "-n", namespace)
    api_server.kubectl("create", "role", "reader", "--verb=get", "--resource=configmaps", "-n", namespace)
    api_server.kubectl(
        "create", "rolebinding", "r", "--role=reader", f"--serviceaccount={namespace}:reader", "-n", namespace
    )
    reader = Kubectl(api_server.programs.kubectl, api_server.kubeconfig_for("reader", namespace))
    api_server.kubectl("create", "configmap", "note", "--from-literal=a=b", "-n", namespace)
    assert reader.get("configmap", "note")["data"] == {"a": "b"}
    with pytest.raises(KubectlError, match="forbidden"):
        reader("get", "secrets")
    mine = [r for r in api_server.audit() if r.user == f"system:serviceaccount:{namespace}:reader"]
    assert [(r.verb, r.resource, r.code) for r in mine if r.resource] == [
        ("get", "configmaps", 200),
        ("list", "secrets", 403),
    ]


def test_what_was_stored_survives_its_absence(api_server: ApiServer) -> None:
    namespace = api_server.namespace()
    api_server.kubectl("create", "configmap", "note", "--from-literal=a=b", "-n", namespace)
    api_server.stop_apiserver()
    with pytest.raises(KubectlError, match="refused"):
        api_server.kubectl("get", "configmaps", "-n", namespace)
    api_server.start_apiserver()
    assert api_server.kubectl.get("configmap", "note", "-n", namespace)["data"] == {"a": "b"}


def test_a_deleted_namespace_is_emptied_and_goes(api_server: ApiServer) -> None:
    namespace = api_server.namespace()
    api_server.kubectl("create", "configmap", "note", "-n", namespace)
    api_server.kubectl("delete", "namespace", namespace, "--wait", timeout=60)
    with pytest.raises(KubectlError, match="not found"):
        api_server.kubectl("get", "namespace", namespace)


def test_garbage_is_collected(api_server: ApiServer) -> None:
    namespace = api_server.namespace()
    api_server.kubectl("create", "configmap", "owner", "-n", namespace)
    owner = api_server.kubectl.get("configmap", "owner", "-n", namespace)["metadata"]["uid"]
    api_server.kubectl(
        "apply", "-n", namespace, "-f", "-",
        input=f"""
apiVersion: v1
kind: ConfigMap
metadata:
  name: owned
  ownerReferences: [{{apiVersion: v1, kind: ConfigMap, name: owner, uid: {owner}}}]
""",
    )  # fmt: skip
    api_server.kubectl("delete", "configmap", "owner", "-n", namespace)
    api_server.kubectl("wait", "--for=delete", "configmap/owned", "-n", namespace, "--timeout=45s")
