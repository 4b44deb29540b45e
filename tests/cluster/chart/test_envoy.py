"""Envoy's bootstrap as the chart renders it, run by the real Envoy against a control plane of the test's own."""

import os
import ssl
import stat
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import envoy_data_plane.envoy.service.discovery.v3 as discovery
import grpc
import httpx
import pytest
import trustme
import yaml

from tests.support.helm import Helm, Object, find, pod_spec
from tollgate_cli.laptop import loopback
from tollgate_cli.laptop.locate import find_envoy
from tollgate_cli.laptop.system import free_port, wait_for
from tollgate_extproc.witness.admin import ask_envoy

OPERATOR = "tollgate-operator.tollgate.svc"
_DELTA = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"


class ControlPlane(grpc.GenericRpcHandler):
    """Has nothing to serve, says so, and remembers who asked."""

    def __init__(self, authority: trustme.CA, name: str = OPERATOR) -> None:
        self.nodes: list[str] = []
        self.asked: set[str] = set()
        self._lock = threading.Lock()
        certificate = authority.issue_cert(name)
        self._server = grpc.server(ThreadPoolExecutor(4), handlers=[self])
        self.port = self._server.add_secure_port(
            "127.0.0.1:0",
            grpc.ssl_server_credentials(
                [(certificate.private_key_pem.bytes(), certificate.cert_chain_pems[0].bytes())],
                authority.cert_pem.bytes(),
                require_client_auth=True,
            ),
        )

    def service(self, handler_call_details: Any) -> Any:
        """Only the delta protocol."""
        return grpc.stream_stream_rpc_method_handler(self._answer) if handler_call_details.method == _DELTA else None

    def _answer(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        for text in requests:
            request = discovery.DeltaDiscoveryRequest.parse(text)
            with self._lock:
                if request.node:
                    self.nodes.append(f"{request.node.id}@{request.node.cluster}")
                self.asked.add(request.type_url.rsplit(".", 1)[1])
            if not request.response_nonce:
                yield bytes(discovery.DeltaDiscoveryResponse(type_url=request.type_url, nonce="1"))

    def start(self) -> None:
        """Answer from now on."""
        self._server.start()

    def stop(self) -> None:
        """End it."""
        self._server.stop(0)


def _unpack(helm: Helm, directory: Path, authority: trustme.CA) -> tuple[list[str], Path]:
    """The ConfigMap and the Secret as files, and Envoy's arguments, with the container's paths replaced."""
    objects = helm.objects()
    spec = pod_spec(find(objects, "Deployment", "tollgate-gateway")) or {}
    (container,) = spec["containers"]
    paths = {"/etc/envoy": str(directory / "envoy"), "/etc/tollgate/tls": str(directory / "tls")}
    assert set(paths) <= {m["mountPath"] for m in container["volumeMounts"]}
    for path in paths.values():
        Path(path).mkdir(parents=True)
    for name, text in find(objects, "ConfigMap", "tollgate-envoy")["data"].items():
        (directory / "envoy" / name).write_text(_replace(text, paths))
    client = authority.issue_cert("tollgate-gateway")
    client.private_key_pem.write_to_path(str(directory / "tls" / "tls.key"))
    client.cert_chain_pems[0].write_to_path(str(directory / "tls" / "tls.crt"))
    authority.cert_pem.write_to_path(str(directory / "tls" / "ca.crt"))
    arguments = [
        a.replace("/etc/envoy", paths["/etc/envoy"]).replace("$(POD_NAME)", "pod-1") for a in container["args"]
    ]
    return arguments, directory / "envoy" / "envoy.yaml"


def _replace(text: str, paths: dict[str, str]) -> str:
    for place, path in paths.items():
        text = text.replace(place, path)
    return text


def _relocate(bootstrap: Path, ads_port: int, admin: Path) -> int:
    """A free port and another socket instead of the container's; the control plane on loopback. Answers the probes'."""
    config: Object = yaml.safe_load(bootstrap.read_text())
    probes = free_port()
    config["admin"]["address"]["pipe"]["path"] = str(admin)
    config["static_resources"]["listeners"][0]["address"]["socket_address"]["port_value"] = probes
    clusters = {c["name"]: c for c in config["static_resources"]["clusters"]}
    addresses = {
        name: cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]
        for name, cluster in clusters.items()
    }
    addresses["tollgate/ads"]["socket_address"].update(address="127.0.0.1", port_value=ads_port)
    addresses["tollgate/admin"]["pipe"]["path"] = str(admin)
    bootstrap.write_text(yaml.safe_dump(config))
    return probes


@pytest.fixture
def authority() -> trustme.CA:
    """The private CA of a release."""
    return trustme.CA()


class Envoy:
    """Envoy as the chart starts it."""

    def __init__(self, helm: Helm, directory: Path, authority: trustme.CA, ads_port: int) -> None:
        self._arguments, bootstrap = _unpack(helm, directory, authority)
        self.admin = directory / "admin.sock"
        self.probes = _relocate(bootstrap, ads_port, self.admin)
        self._log = directory / "envoy.log"

    def __enter__(self) -> "Envoy":
        with self._log.open("w") as log:
            self._process = subprocess.Popen([str(find_envoy(None)), *self._arguments], stdout=log, stderr=log)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    @property
    def log(self) -> str:
        """What it printed."""
        return self._log.read_text()

    def call(self, path: str, method: str = "GET") -> httpx.Response:
        """What the probes' listener answers."""
        return loopback.request(method, f"http://127.0.0.1:{self.probes}{path}", trust_env=False, timeout=5)

    def ready(self) -> bool:
        """As the kubelet asks."""
        try:
            return self.call("/ready").status_code == 200
        except httpx.TransportError:
            return False

    def running(self) -> bool:
        """Whether the process still is."""
        return self._process.poll() is None


def test_the_bootstrap_is_valid(helm: Helm, tmp_path: Path, authority: trustme.CA) -> None:
    arguments, bootstrap = _unpack(helm, tmp_path, authority)
    result = subprocess.run(
        [str(find_envoy(None)), "--mode", "validate", *arguments], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "deprecated" not in result.stderr.lower()
    assert OPERATOR in bootstrap.read_text()


def test_probes_pass_and_nothing_else_of_the_admin_interface(helm: Helm, tmp_path: Path, authority: trustme.CA) -> None:
    control_plane = ControlPlane(authority)
    control_plane.start()
    with Envoy(helm, tmp_path, authority, control_plane.port) as envoy:
        assert wait_for(envoy.ready, 20), envoy.log
        assert control_plane.asked == {"Cluster", "Listener"}
        assert set(control_plane.nodes) == {"pod-1@tollgate"}
        assert "envoy_server_live" in envoy.call("/stats/prometheus").text
        assert envoy.call("/healthz").text == "alive\n"
        for path in (
            "/quitquitquit", "/", "/help", "/config_dump", "/certs", "/clusters", "/stats", "/ready/",
            "/ready/../quitquitquit",
            "/stats/prometheus/../../quitquitquit", "//quitquitquit", "/%71uitquitquit", "/drain_listeners",
            "/healthcheck/fail", "/logging?level=trace", "/reset_counters", "/runtime_modify", "/reopen_logs",
        ):  # fmt: skip
            for method in ("GET", "POST"):
                assert envoy.call(path, method).status_code == 404, (method, path)
        assert envoy.call("/ready", "POST").status_code == 404
        assert envoy.running()
        assert envoy.ready()
        # The admin interface itself has no port, which an API's upstream could name.
        assert envoy.admin.is_socket()
        assert stat.S_IMODE(envoy.admin.stat().st_mode) == 0o600
        assert ask_envoy(f"unix:{envoy.admin}", "/ready", "GET") == "LIVE\n"
        config: Object = yaml.safe_load((tmp_path / "envoy" / "envoy.yaml").read_text())
        assert "socket_address" not in config["admin"]["address"]
    control_plane.stop()


def test_envoy_waits_for_the_operator_and_then_serves(helm: Helm, tmp_path: Path, authority: trustme.CA) -> None:
    control_plane = ControlPlane(authority)
    with Envoy(helm, tmp_path, authority, control_plane.port) as envoy:
        assert not wait_for(envoy.ready, 3)
        assert envoy.running(), envoy.log
        control_plane.start()
        assert wait_for(envoy.ready, 30), envoy.log
        control_plane.stop()
        assert envoy.ready(), "it keeps serving without the operator"


def test_a_control_plane_of_another_name_is_not_believed(helm: Helm, tmp_path: Path, authority: trustme.CA) -> None:
    control_plane = ControlPlane(authority, name="tollgate-operator.elsewhere.svc")
    control_plane.start()
    with Envoy(helm, tmp_path, authority, control_plane.port) as envoy:
        assert not wait_for(envoy.ready, 3)
        assert control_plane.nodes == []
    control_plane.stop()


def test_a_renewed_certificate_is_taken_up(helm: Helm, tmp_path: Path, authority: trustme.CA) -> None:
    """As the kubelet renews a mounted Secret: a new folder behind the link `..data`."""
    control_plane = ControlPlane(authority)
    control_plane.start()
    with Envoy(helm, tmp_path, authority, control_plane.port) as envoy:
        secret = tmp_path / "tls"
        first = secret / "..first"
        first.mkdir()
        for name in ("tls.crt", "tls.key", "ca.crt"):
            (secret / name).rename(first / name)
            (secret / name).symlink_to(f"..data/{name}")
        (secret / "..data").symlink_to("..first")
        assert wait_for(envoy.ready, 30), envoy.log
        renewed = authority.issue_cert("tollgate-gateway")
        second = secret / "..second"
        second.mkdir()
        renewed.private_key_pem.write_to_path(str(second / "tls.key"))
        renewed.cert_chain_pems[0].write_to_path(str(second / "tls.crt"))
        authority.cert_pem.write_to_path(str(second / "ca.crt"))
        (secret / "..new").symlink_to("..second")
        os.replace(secret / "..new", secret / "..data")
        serial = f"{_serial(second / 'tls.crt'):x}"
        assert wait_for(lambda: serial in ask_envoy(f"unix:{envoy.admin}", "/certs", "GET"), 20), envoy.log
    control_plane.stop()


def _serial(certificate: Path) -> int:
    return int(ssl._ssl._test_decode_cert(str(certificate))["serialNumber"], 16)  # type: ignore[attr-defined]
