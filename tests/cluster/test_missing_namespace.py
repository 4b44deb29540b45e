"""A namespace that is to be watched goes and comes back; the others are served all the time."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support.kubernetes import ApiServer
from tests.support.kubernetes.release import Release
from tests.support.manifests import Document, resource
from tollgate_cli.laptop import loopback
from tollgate_cli.laptop.system import wait_for


@pytest.fixture
def release(api_server: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Release]:
    team, other = api_server.namespace("team"), api_server.namespace("other")
    directory = tmp_path_factory.mktemp("missing")
    with Release(api_server, directory, api_server.namespace("tollgate"), watch=(team, other)) as running:
        running.wait_ready()
        yield running


def api(name: str, message: str = "no") -> Document:
    made = resource("API", name, pathPrefix=f"/{name}", upstream={"url": "http://sandbox.localhost"})
    made["spec"]["endpoints"] = [{"name": "x", "path": "/x"}]
    made["spec"]["rejectionRules"] = [{"when": "true", "status": 400, "message": message}]
    return made


def readiness(release: Release) -> tuple[int, str]:
    try:
        answer = loopback.get(f"http://127.0.0.1:{release.port(8081)}/readyz", timeout=5)
    except httpx.HTTPError:
        return 0, ""
    return answer.status_code, answer.text


def is_programmed(release: Release, name: str, namespace: str) -> bool:
    found: dict[str, Any] = release.server.kubectl.get(f"api/{name}", "-n", namespace)
    conditions = found.get("status", {}).get("conditions", [])
    generation = found["metadata"]["generation"]
    return any(
        c["type"] == "Programmed" and c["status"] == "True" and c["observedGeneration"] == generation
        for c in conditions
    )


@pytest.mark.slow
def test_a_watched_namespace_that_is_gone_keeps_the_operator_from_nothing(release: Release) -> None:
    team, other = release.watch
    kubectl, operator = release.server.kubectl, release.process("operator")
    rights = [kubectl.get(kind, "-n", other) for kind in ("role", "rolebinding")]
    release.processes.end(operator)
    kubectl("delete", "namespace", other, timeout=120)
    release.start("operator")
    assert wait_for(lambda: readiness(release)[0] == 200, 60), release.logs()
    assert readiness(release)[1] == f"ok\nnamespace {other} is to be watched, and is not there or may not be read yet\n"
    release.apply([api("a")])
    assert wait_for(lambda: is_programmed(release, "a", team), 20), release.logs()

    # It comes back, its rights a moment later; it is listed and then watched.
    kubectl("create", "namespace", other)
    release.apply([api("b")], other)
    for found in rights:
        for entry in found["items"]:
            entry["metadata"] = {name: entry["metadata"][name] for name in ("name", "namespace")}
        kubectl("apply", "-f", "-", input=json.dumps(found))
    assert wait_for(lambda: is_programmed(release, "b", other), 30), release.logs()
    assert readiness(release) == (200, "ok\n")
    for message in ("once", "twice"):
        release.apply([api("b", message), api("c", message)], other)
        assert wait_for(lambda: is_programmed(release, "b", other) and is_programmed(release, "c", other), 20)

    # Gone while it runs: watches of it cannot be made again, and it goes on with the others.
    pid = release.processes.pid(operator)
    kubectl("delete", "namespace", other, timeout=120)
    release.server.stop_apiserver()
    release.server.start_apiserver()
    release.apply([api("a", "changed")])
    assert wait_for(lambda: is_programmed(release, "a", team), 30), release.logs()
    assert release.processes.pid(operator) == pid
    assert loopback.get(f"http://127.0.0.1:{release.port(8081)}/healthz", timeout=5).text == "ok\n"
