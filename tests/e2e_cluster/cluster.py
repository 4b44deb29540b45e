"""A release of the chart on a real cluster with running pods: install, reach, ask."""

import base64
import contextlib
import json
import os
import re
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.support.helm import CHART
from tests.support.manifests import Document
from tollgate_cli.laptop.reconciliation import compare, upstream_journal

NAME = "tollgate"
RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
KINDS = "api,product,billablemetric,price,subscription"


class CommandFailedError(Exception):
    """``str()`` is what the command said."""


def run(*command: str, input: str | None = None, timeout: float = 600) -> str:
    """Standard output. Raises CommandFailedError."""
    done = subprocess.run(command, input=input, capture_output=True, text=True, timeout=timeout, check=False)
    if done.returncode:
        raise CommandFailedError(f"{' '.join(command[:4])}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


class Cluster:
    """Whatever ``KUBECONFIG`` names; the release lives in a namespace of its own that lets only restricted pods in."""

    def __init__(self, namespace: str) -> None:
        missing = [program for program in ("kubectl", "helm") if not shutil.which(program)]
        if missing or "KUBECONFIG" not in os.environ:
            raise CommandFailedError(f"needs KUBECONFIG, and on PATH: {', '.join(missing) or 'nothing more'}")
        self.namespace = namespace

    def kubectl(self, *arguments: str, input: str | None = None) -> str:
        """In the release's namespace."""
        return run("kubectl", "-n", self.namespace, *arguments, input=input)

    def helm(self, *arguments: str) -> str:
        """In the release's namespace."""
        return run("helm", *arguments, "-n", self.namespace)

    def get(self, *arguments: str) -> Any:
        """``kubectl get … -o json``, decoded."""
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def install(self, *arguments: str) -> None:
        """Make the namespace, and the release in it; every pod is ready afterwards."""
        run("kubectl", "create", "namespace", self.namespace)
        run("kubectl", "label", "namespace", self.namespace, *(f"{key}={value}" for key, value in RESTRICTED.items()))
        self.helm("install", NAME, str(CHART), "--wait", "--timeout", "5m", *arguments)

    def apply(self, documents: list[Document]) -> None:
        """In the release's namespace, and wait until Envoy has confirmed it."""
        self.kubectl("apply", "-f", "-", input=yaml.safe_dump_all(documents))
        self.kubectl("wait", "--for=condition=Programmed", "--timeout=90s", KINDS, "--all")

    def remove(self) -> None:
        """Everything, in the order that finalizers ask for."""
        for kind in ("subscription", "price,product,billablemetric,api"):
            self.kubectl("delete", kind, "--all", "--timeout=90s", "--ignore-not-found")
        with contextlib.suppress(CommandFailedError):
            self.helm("uninstall", NAME, "--wait")
        run("kubectl", "delete", "namespace", self.namespace, "--timeout=180s", "--ignore-not-found")

    def secret(self, name: str) -> dict[str, bytes]:
        """A Secret's values."""
        return {key: base64.b64decode(value) for key, value in self.get("secret", name)["data"].items()}

    def key(self, subscription: str) -> str:
        """From the Secret that the Subscription names."""
        name = self.get("subscription", subscription)["spec"]["secretName"]
        return self.secret(name)["api-key"].decode()

    @contextmanager
    def forward(self, target: str, port: int) -> Iterator[int]:
        """A local port that stands for one of ``target``, such as ``service/tollgate-gateway``: of one of its pods."""
        command = ["kubectl", "-n", self.namespace, "port-forward", "--address=127.0.0.1", target, f":{port}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            try:
                assert process.stdout
                line = process.stdout.readline()
                found = re.search(r"127\.0\.0\.1:(\d+)", line)
                if not found:
                    raise CommandFailedError(f"port-forward to {target}: {line}")
                yield int(found[1])
            finally:
                process.kill()

    @contextmanager
    def billing(self) -> Iterator[httpx.Client]:
        """A client of billing's provider API, which trusts the release's private authority and no other."""
        context = ssl.create_default_context(cadata=self.secret(f"{NAME}-billing-tls")["ca.crt"].decode())
        token = self.secret(f"{NAME}-keys")["admin-token"].decode()
        headers = {"authorization": f"Bearer {token}"}
        with (
            self.forward(f"service/{NAME}-billing", 8443) as port,
            httpx.Client(base_url=f"https://127.0.0.1:{port}", verify=context, headers=headers, timeout=30) as client,
        ):
            yield client

    def events(self) -> list[dict[str, Any]]:
        """What the ledger holds."""
        found: list[dict[str, Any]] = []
        with self.billing() as client:
            after: str | None = None
            while True:
                parameters = {"order": "oldest", "limit": "1000", **({"after": after} if after else {})}
                page = client.get("/v1/usage-events", params=parameters).raise_for_status().json()
                found += page["events"]
                after = page["next"]
                if not after:
                    return found

    def differences(self) -> list[str]:
        """Where ledger and simulated upstream do not agree."""
        with self.forward(f"service/{NAME}-sandbox", 8080) as port:
            journal = upstream_journal(f"http://127.0.0.1:{port}")
        return [d for count in compare(journal, self.events()).values() for d in count.differences]

    def pods(self, component: str) -> list[str]:
        """Names of those that are not on their way out."""
        selector = f"app.kubernetes.io/instance={NAME},app.kubernetes.io/component={component}"
        items = self.get("pods", "-l", selector)["items"]
        return [pod["metadata"]["name"] for pod in items if "deletionTimestamp" not in pod["metadata"]]

    def report(self, directory: Path) -> None:
        """What one wants to see when a test failed."""
        for name, arguments in {
            "pods": ["get", "pods", "-o", "wide"],
            "describe": ["describe", "pods"],
            "events": ["get", "events", "--sort-by=.lastTimestamp"],
            "resources": ["get", KINDS, "-o", "yaml"],
            **{c: ["logs", f"deployment/{NAME}-{c}", "--all-containers"] for c in ("operator", "gateway", "billing")},
        }.items():
            with contextlib.suppress(CommandFailedError):
                (directory / f"{name}.txt").write_text(self.kubectl(*arguments))
