"""A release of the chart on an API server without a kubelet: its pods' containers run here, as the chart says.

The rendered pod templates are read back from the API server. What a node does is done to them: variables are resolved,
Secrets and ConfigMaps are written where they would be mounted, Service names and ports become ports of this machine.
"""

import base64
import contextlib
import copy
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import httpx
import yaml

from tests.support.kubernetes.apiserver import ApiServer
from tests.support.kubernetes.kubectl import KubectlError
from tests.support.manifests import Document, resource
from tollgate_cli.laptop import loopback
from tollgate_cli.laptop.locate import find_envoy, find_valkey
from tollgate_cli.laptop.processes import Child, Processes
from tollgate_cli.laptop.reconciliation import compare, upstream_journal
from tollgate_cli.laptop.system import free_port, wait_for

CHART = Path(__file__).parents[3] / "charts" / "tollgate"
WORKLOADS = ("operator", "gateway", "billing", "valkey", "sandbox")
#: Mounted by one pod, named by the settings of others: one folder for all.
_SHARED = ("/run/tollgate", "/var/log/tollgate")


class Release:
    """``helm install`` and the processes of its pods. Use as a context manager."""

    def __init__(
        self,
        server: ApiServer,
        directory: Path,
        namespace: str,
        *values: str,
        watch: tuple[str, ...] = (),
        operators: int = 1,
    ) -> None:
        """``operators``: how many replicas Envoy knows of; the second is started by the test."""
        self.server = server
        self.namespace = namespace
        self.watch = watch
        self.name = f"tg-{namespace}"[:40]
        self.directory = directory
        self.processes = Processes(directory / "logs")
        self._values = [argument for value in values for argument in ("--set", value)]
        if watch:
            self._values += ["--set-json", f"watchNamespaces={json.dumps(watch)}"]
        self._operators = operators
        self._ports: dict[tuple[int, int], int] = {}
        self._sockets = tempfile.TemporaryDirectory(prefix="tollgate-")

    def __enter__(self) -> Self:
        try:
            self.helm("install", self.name, str(CHART), "--set", f"fullnameOverride={self.name}", *self._values)
            self._point_webhook_here()
            self.run("operator", "bootstrap")
            for workload in ("valkey", "billing", "sandbox", "operator", "gateway"):
                self.start(workload)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.processes.stop()
        self._sockets.cleanup()

    def helm(self, *arguments: str) -> str:
        """Run helm as the administrator."""
        command = [str(self.server.programs.helm), *arguments, "-n", self.namespace]
        command += ["--kubeconfig", str(self.server.kubeconfig)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))
        if done.returncode:
            raise RuntimeError(f"helm {' '.join(arguments[:2])}: {done.stderr}")
        return done.stdout

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """An object of the release's namespace."""
        found: dict[str, Any] = json.loads(self.server.kubectl("get", kind, name, "-n", self.namespace, "-o", "json"))
        return found

    def secret(self, name: str) -> dict[str, bytes]:
        """A Secret's values."""
        return {key: base64.b64decode(value) for key, value in self.get("secret", name).get("data", {}).items()}

    def port(self, container_port: int, replica: int = 0) -> int:
        """The port of this machine that stands for one of a container."""
        if (container_port, replica) not in self._ports:
            self._ports[container_port, replica] = free_port()
        return self._ports[container_port, replica]

    @property
    def url(self) -> str:
        """The gateway."""
        return f"http://127.0.0.1:{self.port(10080)}"

    def billing(self) -> httpx.Client:
        """A client of billing's provider API."""
        context = ssl.create_default_context(cadata=self.secret(f"{self.name}-billing-tls")["ca.crt"].decode())
        token = self.secret(f"{self.name}-keys")["admin-token"].decode()
        headers = {"authorization": f"Bearer {token}"}
        return httpx.Client(base_url=f"https://127.0.0.1:{self.port(8443)}", verify=context, headers=headers)

    def key(self, subscription: str) -> str:
        """A declared Subscription's API key, from the Secret that it names."""
        spec = self.server.kubectl.get("subscription", subscription, "-n", self.team)["spec"]
        secret = self.server.kubectl.get("secret", spec["secretName"], "-n", self.team)
        return base64.b64decode(secret["data"]["api-key"]).decode()

    def events(self) -> list[dict[str, Any]]:
        """What the ledger holds."""
        found: list[dict[str, Any]] = []
        after: str | None = None
        with self.billing() as client:
            while True:
                parameters = {"order": "oldest", "limit": "1000", **({"after": after} if after else {})}
                page = client.get("/v1/usage-events", params=parameters).raise_for_status().json()
                found += page["events"]
                after = page.get("next")
                if not after:
                    return found

    def journal(self) -> list[dict[str, Any]]:
        """The simulated upstream's own record."""
        return upstream_journal(f"http://127.0.0.1:{self.port(8080)}")

    def assert_exact(self) -> None:
        """Every complete response is in the ledger once, with the upstream's own usage."""
        served = {entry["ids"]["x-billing-request-id"]: entry for entry in self.journal()}

        def missing() -> set[str]:
            return served.keys() - {event["id"] for event in self.events()}

        assert wait_for(lambda: not missing(), 30), f"{[served[request] for request in missing()]}\n{self.logs()}"
        counts = compare(self.journal(), self.events())
        differences = [text for count in counts.values() for text in count.differences]
        assert not differences, differences

    def apply(self, documents: Iterable[Document], namespace: str = "") -> str:
        """``kubectl apply``: what it printed, warnings included."""
        text = yaml.safe_dump_all(list(documents))
        return self.server.kubectl("apply", "-n", namespace or self.team, "-f", "-", input=text)

    @property
    def team(self) -> str:
        """The namespace of the manifests."""
        return self.watch[0] if self.watch else "default"

    def wait_for(self, condition: str, *resources: str, seconds: int = 30) -> None:
        """``kubectl wait``."""
        try:
            arguments = ("wait", f"--for={condition}", f"--timeout={seconds}s", "-n", self.team, *resources)
            self.server.kubectl(*arguments, timeout=seconds + 15)
        except KubectlError as error:
            raise AssertionError(f"{error}\n{self.logs()}") from error

    def condition(self, resource: str, name: str) -> tuple[str, str, str]:
        """(status, reason, message) of a condition; empty texts where there is none."""
        found = self.server.kubectl.get(resource, "-n", self.team).get("status", {}).get("conditions", [])
        return next(((c["status"], c["reason"], c["message"]) for c in found if c["type"] == name), ("", "", ""))

    def ask_webhook(self, ask: bool) -> None:
        """Whether the API server asks the operator before it stores something."""
        condition = [] if ask else [{"name": "never", "expression": "false"}]
        patch = [{"op": "add", "path": "/webhooks/0/matchConditions", "value": condition}]
        arguments = ("--type=json", "-p", json.dumps(patch))
        self.server.kubectl("patch", "validatingwebhookconfiguration", f"{self.name}-{self.namespace}", *arguments)
        time.sleep(1)  # the API server follows its own configuration by a watch

    def wait_for_webhook(self) -> None:
        """Until the API server asks the operator: mistakes are accepted before, and judged later."""
        api = resource("API", "nonsense", upstream={"url": "http://sandbox.localhost"}, pathPrefix="/nonsense")
        api["spec"]["endpoints"] = [{"name": "x", "path": "/x"}]
        api["spec"]["rejectionRules"] = [{"when": "1 ===", "status": 400, "message": "no"}]

        def refuses() -> bool:
            try:
                arguments = ("apply", "--dry-run=server", "-n", self.team, "-f", "-")
                self.server.kubectl(*arguments, input=yaml.safe_dump(api))
            except KubectlError as error:
                return "rejectionRules[0].when" in str(error)
            return False

        if not wait_for(refuses, 30):
            raise AssertionError(f"the API server does not ask the operator\n{self.logs()}")

    def start(self, workload: str, replica: int = 0) -> None:
        """All containers of a pod, without waiting for more than that they began."""
        kind = "statefulset" if workload == "valkey" else "deployment"
        spec = self.get(kind, f"{self.name}-{workload}")["spec"]["template"]["spec"]
        sidecars = [c for c in spec.get("initContainers", []) if c.get("restartPolicy") == "Always"]
        for container in (*sidecars, *spec["containers"]):
            self._start(workload, replica, spec, container)

    def run(self, workload: str, init_container: str) -> None:
        """An init container, to its end."""
        spec = self.get("deployment", f"{self.name}-{workload}")["spec"]["template"]["spec"]
        container = next(c for c in spec["initContainers"] if c["name"] == init_container)
        command, environment = self._command(workload, 0, spec, container)
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr

    def drain(self, workload: str = "gateway", replica: int = 0) -> list[str]:
        """What a kubelet does first when a pod is to end: all hooks at once. What each said."""
        spec = self.get("deployment", f"{self.name}-{workload}")["spec"]["template"]["spec"]
        containers = [c for c in (*spec.get("initContainers", []), *spec["containers"]) if "lifecycle" in c]
        with ThreadPoolExecutor() as pool:
            return list(pool.map(lambda c: self._hook(workload, replica, spec, c), containers))

    def _hook(self, workload: str, replica: int, spec: Mapping[str, Any], container: Mapping[str, Any]) -> str:
        hook = container["lifecycle"]["preStop"]
        if "httpGet" in hook:
            url = f"http://127.0.0.1:{self.port(hook['httpGet']['port'], replica)}{hook['httpGet']['path']}"
            return loopback.get(url, timeout=120).raise_for_status().text
        command, environment = self._command(workload, replica, spec, {**container, **hook["exec"]})
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def process(self, container: str, replica: int = 0) -> str:
        """The name under which a container's process runs."""
        return f"{container}-{replica}"

    def wait_ready(self, seconds: float = 60) -> None:
        """Until the gateway answers."""

        def answers() -> bool:
            with contextlib.suppress(httpx.HTTPError):
                return loopback.get(f"http://127.0.0.1:{self.port(9902)}/ready", timeout=2).status_code == 200
            return False

        if not wait_for(answers, seconds):
            raise AssertionError(f"the gateway is not ready\n{self.logs()}")

    def logs(self) -> str:
        """The end of every process's log."""
        found = sorted((self.directory / "logs").glob("*.log"))
        return "\n".join(f"--- {p.name}\n" + "\n".join(p.read_text().splitlines()[-15:]) for p in found)

    def _point_webhook_here(self) -> None:
        """The API server reaches no Service here; it is told the address instead."""
        name = f"{self.name}-{self.namespace}"
        url = f"https://127.0.0.1:{self.port(9443)}/validate"
        configuration = json.loads(self.server.kubectl("get", "validatingwebhookconfiguration", name, "-o", "json"))
        webhooks = configuration["webhooks"]
        for webhook in webhooks:
            webhook["clientConfig"] = {"url": url}
        patch = json.dumps({"webhooks": webhooks})
        self.server.kubectl("patch", "validatingwebhookconfiguration", name, "--type=merge", "-p", patch)

    def _start(self, workload: str, replica: int, spec: Mapping[str, Any], container: Mapping[str, Any]) -> None:
        command, environment = self._command(workload, replica, spec, container)
        self.processes.start(Child(self.process(container["name"], replica), command, environment))

    def _command(
        self, workload: str, replica: int, spec: Mapping[str, Any], container: Mapping[str, Any]
    ) -> tuple[list[str], dict[str, str]]:
        pod = f"{self.name}-{workload}-{replica}"
        mounts = self._mount(pod, spec, container)
        values = self._resolve(pod, container)
        environment = {name: self._localize(text, mounts, replica) for name, text in values.items()}
        if "TOLLGATE_GATEWAY_PORT" in environment:
            environment["TOLLGATE_GATEWAY_PORT"] = str(self.port(int(environment["TOLLGATE_GATEWAY_PORT"])))
            environment["TOLLGATE_GATEWAY_ADDRESS"] = "127.0.0.1"
        if spec.get("automountServiceAccountToken"):
            account = spec["serviceAccountName"]
            environment["KUBECONFIG"] = str(self.server.kubeconfig_for(account, self.namespace))
        arguments = [*container.get("command", []), *container.get("args", [])]
        arguments = [re.sub(r"\$\((\w+)\)", lambda m: values[m[1]], a) for a in arguments]
        arguments = [self._localize(argument, mounts, replica) for argument in arguments]
        program = _program(arguments[0])
        if "--port" in arguments:  # a program that takes its port as an argument of its own
            position = arguments.index("--port") + 1
            arguments[position] = str(self.port(int(arguments[position])))
        if arguments[0] == "envoy":
            arguments += ["--use-dynamic-base-id"]
            arguments = [a for a in arguments if a != "--disable-hot-restart"]
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return [*program, *arguments[1:]], inherited | environment

    def _resolve(self, pod: str, container: Mapping[str, Any]) -> dict[str, str]:
        values: dict[str, str] = {}
        for entry in container.get("env", []):
            source = entry.get("valueFrom", {})
            if "secretKeyRef" in source:
                reference = source["secretKeyRef"]
                values[entry["name"]] = self.secret(reference["name"])[reference["key"]].decode()
            elif "fieldRef" in source:
                fields = {"metadata.name": pod, "metadata.namespace": self.namespace}
                values[entry["name"]] = fields[source["fieldRef"]["fieldPath"]]
            else:
                values[entry["name"]] = re.sub(r"\$\((\w+)\)", lambda m: values[m[1]], entry.get("value", ""))
        return values

    def _mount(self, pod: str, spec: Mapping[str, Any], container: Mapping[str, Any]) -> dict[str, str]:
        """Where each mount path is on this machine; with what belongs there."""
        volumes = {volume["name"]: volume for volume in spec.get("volumes", [])}
        mounts = {path: f"{self._sockets.name}{path}" for path in _SHARED}
        for mount in container.get("volumeMounts", []):
            path, volume = mount["mountPath"], volumes.get(mount["name"], {})
            if path == "/tmp":
                continue
            target = Path(mounts.get(path) or self.directory / pod / mount["name"])
            target.mkdir(parents=True, exist_ok=True)
            mounts[path] = str(target)
            if "secret" in volume:
                self._mount_secret(target, volume["secret"])
        for mount in container.get("volumeMounts", []):
            volume = volumes.get(mount["name"], {})
            if "configMap" in volume:
                for name, text in self.get("configmap", volume["configMap"]["name"])["data"].items():
                    Path(mounts[mount["mountPath"]], name).write_text(self._localize_file(name, text, mounts))
        return mounts

    def remount(self, workload: str, volume: str, replica: int = 0) -> None:
        """What a kubelet does within about a minute of a change: the mounted Secret becomes as it is now."""
        spec = self.get("deployment", f"{self.name}-{workload}")["spec"]["template"]["spec"]
        source = next(v["secret"] for v in spec["volumes"] if v["name"] == volume)
        self._mount_secret(self.directory / f"{self.name}-{workload}-{replica}" / volume, source)

    def _mount_secret(self, target: Path, source: Mapping[str, Any]) -> None:
        """All at once, as a kubelet does it: files are links into a folder that a link leads to."""
        try:
            values = self.secret(source["secretName"])
        except KubectlError:
            if not source.get("optional"):
                raise
            values = {}
        content = Path(tempfile.mkdtemp(prefix="..", dir=target))
        for name, value in values.items():
            (content / name).write_bytes(value)
        (content / "..link").symlink_to(content.name)
        os.replace(content / "..link", target / "..data")
        for path in target.iterdir():
            if not path.name.startswith("..") and path.name not in values:
                path.unlink()
        for name in values:
            if not (target / name).is_symlink():
                (target / name).symlink_to(f"..data/{name}")

    def _localize(self, text: str, mounts: Mapping[str, str], replica: int) -> str:
        service = rf"{re.escape(self.name)}-[a-z]+\.{re.escape(self.namespace)}\.svc(?:\.cluster\.local)?:(\d+)"
        listen = rf"(?P<own>(?:0\.0\.0\.0|127\.0\.0\.1):(?P<port>\d+))|{service}"

        def local(found: re.Match[str]) -> str:
            port = self.port(int(found["port"]), replica) if found["own"] else self.port(int(found[3]))
            return f"127.0.0.1:{port}"

        text = re.sub(listen, local, text)
        for path in sorted(mounts, key=len, reverse=True):
            text = re.sub(rf"(?:^|(?<=[=:,])|(?<=///)){re.escape(path)}(?=/|$|,)", mounts[path], text)
        return text

    def _localize_file(self, name: str, text: str, mounts: Mapping[str, str]) -> str:
        if not name.endswith((".yaml", ".json")):
            return text
        document = yaml.safe_load(text)
        for address in _socket_addresses(document):
            address["port_value"] = self.port(int(address["port_value"]))
            address["address"] = "127.0.0.1"
        for cluster in document.get("static_resources", {}).get("clusters", []):
            if cluster["name"] == "tollgate/ads":
                self._add_operators(cluster["load_assignment"]["endpoints"][0]["lb_endpoints"])
        text = json.dumps(document)
        for path in sorted(mounts, key=len, reverse=True):
            text = text.replace(f'"{path}/', f'"{mounts[path]}/').replace(f'"{path}"', f'"{mounts[path]}"')
        return text

    def _add_operators(self, endpoints: list[Any]) -> None:
        """A Service's name leads to all replicas; here each has an address of its own."""
        for replica in range(1, self._operators):
            endpoint = copy.deepcopy(endpoints[0])
            for address in _socket_addresses(endpoint):
                address["port_value"] = self.port(18000, replica)
            endpoints.append(endpoint)


def _socket_addresses(node: Any) -> Iterator[dict[str, Any]]:
    """All of an Envoy configuration."""
    if isinstance(node, dict) and "port_value" in node:
        yield node
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for child in children:
        yield from _socket_addresses(child)


def _program(name: str) -> list[str]:
    if name == "envoy":
        return [str(find_envoy(None))]
    if name == "valkey-server":
        return [str(find_valkey(None))]
    beside = Path(sys.executable).parent / name
    return [str(beside if beside.exists() else shutil.which(name) or name)]
