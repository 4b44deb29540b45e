"""kubectl as a function."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any


class KubectlError(Exception):
    """kubectl said no; ``str()`` is its standard error."""


class Kubectl:
    """kubectl with one kubeconfig. A cache of discovery of its own, so that runs do not see each other's CRDs."""

    def __init__(self, program: Path, kubeconfig: Path) -> None:
        self.program = program
        self.kubeconfig = kubeconfig
        self._cache = f"{kubeconfig}.cache"

    def __call__(self, *arguments: str, input: str | None = None, timeout: float = 60) -> str:
        """Standard output. Raises KubectlError."""
        command = [str(self.program), f"--kubeconfig={self.kubeconfig}", f"--cache-dir={self._cache}"]
        result = subprocess.run(
            [*command, *arguments], input=input, capture_output=True, text=True, timeout=timeout, check=False
        )
        if result.returncode:
            raise KubectlError(result.stderr.strip() or result.stdout.strip())
        return result.stdout

    def forget_kinds(self) -> None:
        """Which kinds there are is remembered, also of those that have gone."""
        shutil.rmtree(self._cache, ignore_errors=True)

    def get(self, *arguments: str) -> Any:
        """``kubectl get … -o json``, decoded."""
        return json.loads(self("get", *arguments, "-o", "json"))
