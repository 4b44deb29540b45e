"""Helm as a function, and what the chart renders."""

import os
import subprocess
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "tollgate"
Object = dict[str, Any]


class HelmError(Exception):
    """Helm said no; ``str()`` is its standard error."""


class Helm:
    """Helm with directories of its own, so that neither repositories nor plugins of the user's count."""

    def __init__(self, program: Path, directory: Path, kubeconfig: Path | None = None) -> None:
        self.program = program
        self.directory = directory
        #: What the latest command said beside its output: warnings of the API server, for one.
        self.said = ""
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(directory),
            **{f"HELM_{kind}_HOME": str(directory / kind.lower()) for kind in ("CACHE", "CONFIG", "DATA")},
            "KUBECONFIG": str(kubeconfig or directory / "no-cluster"),
        }

    def __call__(self, *arguments: str, timeout: float = 120) -> str:
        """Standard output. Raises HelmError."""
        result = subprocess.run(
            [str(self.program), *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        self.said = result.stderr
        if result.returncode:
            raise HelmError(result.stderr.strip() or result.stdout.strip())
        return result.stdout

    def template(self, *arguments: str, release: str = "tollgate", namespace: str = "tollgate") -> str:
        """The chart as text."""
        return self("template", release, str(CHART), "--namespace", namespace, *arguments)

    def objects(self, *arguments: str, release: str = "tollgate", namespace: str = "tollgate") -> list[Object]:
        """The chart as objects."""
        text = self.template(*arguments, release=release, namespace=namespace)
        return [document for document in yaml.safe_load_all(text) if document]


def find(objects: list[Object], kind: str, name: str) -> Object:
    """The one object of that name."""
    (found,) = [o for o in objects if o["kind"] == kind and o["metadata"]["name"] == name]
    return found


def pod_spec(document: Object) -> Object | None:
    """The pod that a workload makes; None for other objects."""
    if document["kind"] == "Pod":
        spec: Object = document["spec"]
        return spec
    template: Object | None = document.get("spec", {}).get("template")
    return template["spec"] if template and "containers" in template.get("spec", {}) else None
