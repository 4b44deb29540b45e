"""A release whose keys and certificates an administrator brings: they are used, and never written."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.calls import CHAT, chat_body
from tests.support.kubernetes import ApiServer
from tests.support.kubernetes.release import Release
from tests.support.manifests import example_documents, find
from tollgate_cli.laptop import loopback
from tollgate_operator.cluster.certificates import make_authority, make_certificate

PARTS = ("operator", "gateway", "billing")


def _put(server: ApiServer, namespace: str, name: str, values: dict[str, bytes]) -> None:
    data = {key: base64.b64encode(value).decode() for key, value in values.items()}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data}
    server.kubectl("apply", "-n", namespace, "-f", "-", input=json.dumps(secret))


@pytest.mark.slow
def test_keys_and_certificates_of_an_administrator_are_used_and_left_alone(
    api_server: ApiServer, tmp_path: Path
) -> None:
    team, namespace = api_server.namespace("team"), api_server.namespace("tollgate")
    values = {"key-pepper": b"own-pepper", "admin-token": b"own-token", "redis-password": b"ownpassword"}
    _put(api_server, namespace, "my-keys", values)
    now = datetime.now(UTC)
    authority = make_authority("the administrator's", now)
    arguments = ["keys.existingSecret=my-keys"]
    for part in PARTS:
        service = f"tg-{namespace}-{part}"[:40]
        names = [f"{service}.{namespace}.svc", "localhost", "127.0.0.1"]
        made = make_certificate(authority, names, now, client=part == "gateway")
        _put(api_server, namespace, f"my-{part}", {
            "tls.crt": made.certificate, "tls.key": made.key, "ca.crt": authority.certificate,
        })  # fmt: skip
        arguments.append(f"tls.existingSecrets.{part}=my-{part}")
    before = {name: api_server.kubectl.get("secret", name, "-n", namespace) for name in ("my-keys", "my-operator")}
    with Release(api_server, tmp_path, namespace, *arguments, watch=(team,)) as release:
        documents = example_documents()
        find(documents, "Subscription", "acme-openai")["spec"]["secretName"] = "acme-key"
        release.apply(documents)
        release.wait_ready()
        release.wait_for("condition=Programmed", "api/openai", "subscription/acme-openai", seconds=60)
        auth = {"authorization": f"Bearer {release.key('acme-openai')}"}
        assert loopback.post(release.url + CHAT, json=chat_body(), headers=auth, timeout=30).status_code == 200
        secrets = api_server.kubectl("get", "secrets", "-n", namespace, "-o", "name").split()
        assert not [name for name in secrets if name.endswith(("-keys", "-tls", "-ca")) and "my-" not in name]
    for name, content in before.items():
        assert api_server.kubectl.get("secret", name, "-n", namespace) == content
