"""etcd, kube-apiserver and, beside them, the controllers that collect garbage and empty deleted namespaces.

There is no kubelet: workloads are accepted and no pod runs.
"""

import ssl
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import httpx

from tests.support.kubernetes import audit, credentials
from tests.support.kubernetes.binaries import Binaries
from tests.support.kubernetes.kubectl import Kubectl
from tollgate_cli.laptop import loopback
from tollgate_cli.laptop.system import free_port, wait_for

_ISSUER = "https://kubernetes.default.svc"
#: An address of documentation (RFC 5737): nobody connects to it, and a machine without a network has a default.
_ADVERTISED = "192.0.2.1"


class ApiServer:
    """Use as a context manager. ``kubectl`` and ``kubeconfig`` are the administrator's."""

    def __init__(self, directory: Path, programs: Binaries, *, controllers: bool = True) -> None:
        self.directory = directory
        self.programs = programs
        self._controllers = controllers
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._namespaces = 0
        self._credentials = credentials.create(directory / "credentials")
        self._audit_log = directory / "audit.log"
        (directory / "audit-policy.yaml").write_text(audit.POLICY)
        self._etcd_port, self._port = free_port(), free_port()
        self.url = f"https://127.0.0.1:{self._port}"
        self.kubeconfig = self._kubeconfig_of(credentials.ADMIN)
        self.kubectl = Kubectl(programs.kubectl, self.kubeconfig)

    def __enter__(self) -> Self:
        try:
            self._start_etcd()
            self.start_apiserver()
            if self._controllers:
                self._start_controllers()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End everything; what was stored stays in the directory."""
        for name in reversed(list(self._running)):
            self._end(name)

    def stop_apiserver(self) -> None:
        """The API server goes away, etcd keeps what it stored."""
        self._end("kube-apiserver")

    def start_apiserver(self) -> None:
        """Start it on the port it always had, and wait until it is ready."""
        keys = self._credentials.directory
        self._start(
            "kube-apiserver",
            str(self.programs.kube_apiserver),
            f"--etcd-servers=http://127.0.0.1:{self._etcd_port}",
            f"--secure-port={self._port}",
            "--bind-address=127.0.0.1",
            f"--advertise-address={_ADVERTISED}",
            "--endpoint-reconciler-type=none",
            f"--cert-dir={self.directory / 'generated'}",
            f"--tls-cert-file={keys / 'server.pem'}",
            f"--tls-private-key-file={keys / 'server.pem'}",
            f"--service-account-key-file={keys / 'sa.key'}",
            f"--service-account-signing-key-file={keys / 'sa.key'}",
            f"--service-account-issuer={_ISSUER}",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--authorization-mode=RBAC",
            f"--token-auth-file={keys / 'tokens.csv'}",
            f"--audit-policy-file={self.directory / 'audit-policy.yaml'}",
            f"--audit-log-path={self._audit_log}",
            "--audit-log-maxsize=4096",
            "--allow-privileged=true",
        )
        self._wait_until("kube-apiserver", self._ready, 60)

    def kubeconfig_for(self, service_account: str, namespace: str, *, hours: int = 8) -> Path:
        """A kubeconfig with a token of an existing ServiceAccount: its rights, no more."""
        arguments = ("create", "token", service_account, "-n", namespace, f"--duration={hours}h")
        token = self.kubectl(*arguments).strip()
        return self._credentials.kubeconfig(f"{namespace}.{service_account}", self.url, token, namespace)

    def namespace(self, prefix: str = "test", labels: dict[str, str] | None = None) -> str:
        """Make a fresh one."""
        self._namespaces += 1
        name = f"{prefix}-{self._namespaces}"
        self.kubectl("create", "namespace", name)
        if labels:
            self.kubectl("label", "namespace", name, *(f"{key}={value}" for key, value in labels.items()))
        return name

    def add_kinds(self, *arguments: str, input: str | None = None) -> None:
        """Apply CRDs and wait until they are served. ``kubectl wait`` fails at one that has no conditions yet."""
        apply = ("apply", "--server-side", "--force-conflicts", "-o", "name")
        names = self.kubectl(*apply, *arguments, input=input).split()

        def are_served() -> bool:
            found = self.kubectl.get(*names)
            definitions = found.get("items", [found])
            conditions = [d.get("status", {}).get("conditions") or [] for d in definitions]
            return all(any((c["type"], c["status"]) == ("Established", "True") for c in of) for of in conditions)

        assert wait_for(are_served, 30), names

    def remove_kinds(self, group: str, *names: str) -> None:
        """Delete all CRDs of a group, and wait until kubectl cannot mean its kinds any more."""
        self.kubectl("delete", "crd", *(f"{name}.{group}" for name in names), "--timeout=60s", timeout=75)
        with self.client() as client:
            assert wait_for(lambda: client.get(f"/apis/{group}").status_code == 404, 30)
        self.kubectl.forget_kinds()

    def client(self) -> httpx.Client:
        """For many requests, where starting kubectl for each would take too long."""
        headers = {"Authorization": f"Bearer {self._credentials.tokens[credentials.ADMIN]}"}
        return httpx.Client(base_url=self.url, headers=headers, verify=self.trust(), trust_env=False)

    def audit(self) -> list[audit.AuditRecord]:
        """All requests so far but the API server's own and its controllers', in order."""
        return audit.read(self._audit_log)

    def log(self, name: str = "kube-apiserver") -> str:
        """What a program printed."""
        return (self.directory / f"{name}.log").read_text(errors="replace")

    def _kubeconfig_of(self, user: str) -> Path:
        return self._credentials.kubeconfig(user, self.url, self._credentials.tokens[user])

    def _start_etcd(self) -> None:
        client, peer = f"http://127.0.0.1:{self._etcd_port}", f"http://127.0.0.1:{free_port()}"
        self._start(
            "etcd",
            str(self.programs.etcd),
            f"--data-dir={self.directory / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",
        )
        self._wait_until("etcd", lambda: loopback.get(f"{client}/health", trust_env=False).is_success, 30)

    def _start_controllers(self) -> None:
        """They follow CRDs with a delay: objects of a new CRD are collected as garbage after up to 30 s."""
        self._start(
            "kube-controller-manager",
            str(self.programs.kube_controller_manager),
            f"--kubeconfig={self._kubeconfig_of(credentials.CONTROLLERS)}",
            "--controllers=garbage-collector-controller,namespace-controller,serviceaccount-controller",
            "--leader-elect=false",
            "--secure-port=0",
        )

    def _ready(self) -> bool:
        with self.client() as client:
            return client.get("/readyz").is_success

    def trust(self) -> ssl.SSLContext:
        """Of its certificate."""
        return ssl.create_default_context(cafile=self._credentials.directory / "ca.crt")

    def _start(self, name: str, *command: str) -> None:
        with (self.directory / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )

    def _end(self, name: str) -> None:
        process = self._running.pop(name, None)
        if process is None:
            return
        process.kill()  # a kube-apiserver that is asked to end waits for its watchers
        process.wait()

    def _wait_until(self, name: str, ready: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while True:
            try:
                if ready():
                    return
            except httpx.TransportError:
                pass
            if self._running[name].poll() is not None or time.monotonic() > deadline:
                end = "\n".join(self.log(name).splitlines()[-15:])
                raise RuntimeError(f"{name} did not get ready:\n{end}")
            time.sleep(0.05)
