"""The programs of a Kubernetes control plane: an existing installation, a cached build, or a build from Go modules.

In this order, for each program by itself:

1. ``KUBEBUILDER_ASSETS``, the folder that ``setup-envtest`` fills (kube-apiserver, etcd, kubectl);
2. a build cached under the user's cache directory, one folder per version;
3. for etcd alone, ``PATH`` (Debian's ``etcd-server`` is enough);
4. a build from the modules in ``tests/cluster/apiserver/go``, once. That takes some minutes: no registry has these
   programs as packages.
"""

import fcntl
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

MODULES = Path(__file__).parents[2] / "cluster" / "apiserver" / "go"
HOW_TO_GET_THEM = (
    "Install Go 1.26 or later and run `make apiserver` with a reachable Go module proxy: it builds what is missing "
    "once, in about 8 minutes on 2 cores, and keeps it in {cache}. Or set KUBEBUILDER_ASSETS to a folder with "
    "kube-apiserver, etcd, kubectl (setup-envtest makes one), kube-controller-manager and helm."
)


class BinariesUnavailableError(Exception):
    """No program and no way to build it; the message says how to get it."""


@dataclass(frozen=True)
class Binaries:
    """Where each program is."""

    kube_apiserver: Path
    kube_controller_manager: Path
    kubectl: Path
    etcd: Path
    helm: Path


@dataclass(frozen=True)
class _Program:
    name: str
    module: str
    """Folder below MODULES."""
    requirement: str
    """Go module whose version it has."""
    package: str
    version_flags: str
    """For ``-ldflags``; without them the API server calls itself v0.0.0-master, which confuses clients."""

    @property
    def version(self) -> str:
        text = (MODULES / self.module / "go.mod").read_text()
        found = re.search(rf"^\s*(?:require )?{re.escape(self.requirement)} (v\S+)", text, re.MULTILINE)
        if found is None:
            raise BinariesUnavailableError(f"{self.module}/go.mod requires no {self.requirement}")
        return found[1]

    @property
    def cached(self) -> Path:
        return cache_directory() / self.module / self.version / self.name

    @property
    def linker_flags(self) -> str:
        major, minor, *_ = self.version.removeprefix("v").split(".")
        return f"-s -w {self.version_flags}".format(version=self.version, major=major, minor=minor)


_VERSION = "k8s.io/component-base/version"
_KUBERNETES_FLAGS = (
    f"-X {_VERSION}.gitVersion={{version}} -X {_VERSION}.gitMajor={{major}} -X {_VERSION}.gitMinor={{minor}}"
)
_HELM_FLAGS = "-X helm.sh/helm/v4/internal/version.version={version}"
_PROGRAMS = (
    *(
        _Program(name, "kubernetes", "k8s.io/kubernetes", f"k8s.io/kubernetes/cmd/{name}", _KUBERNETES_FLAGS)
        for name in ("kube-apiserver", "kube-controller-manager", "kubectl")
    ),
    _Program("etcd", "etcd", "go.etcd.io/etcd/server/v3", "go.etcd.io/etcd/server/v3", ""),
    _Program("helm", "helm", "helm.sh/helm/v4", "helm.sh/helm/v4/cmd/helm", _HELM_FLAGS),
)


def cache_directory() -> Path:
    """Where builds are kept: shared by all checkouts of the user."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tollgate"


def binaries(say: Callable[[str], None] = lambda _: None) -> Binaries:
    """All programs, built where they are missing. Raises BinariesUnavailableError."""
    paths = {program.name: _find(program) for program in _PROGRAMS}
    missing = [program for program in _PROGRAMS if paths[program.name] is None]
    if missing:
        with _one_builder(say):
            for program in missing:
                paths[program.name] = _find(program) or _build(program, say)
    return Binaries(**{name.replace("-", "_"): path for name, path in paths.items() if path is not None})


def _find(program: _Program) -> Path | None:
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    candidates = [Path(assets) / program.name] if assets else []
    candidates.append(program.cached)
    if program.name == "etcd":
        candidates += [Path(found)] if (found := shutil.which("etcd")) else []
    return next((path for path in candidates if os.access(path, os.X_OK)), None)


@contextmanager
def _one_builder(say: Callable[[str], None]) -> Iterator[None]:
    """Two test runs at once must not build the same twice."""
    cache_directory().mkdir(parents=True, exist_ok=True)
    with (cache_directory() / "build.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another run builds the Kubernetes programs; waiting for it.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(program: _Program, say: Callable[[str], None]) -> Path:
    go = shutil.which("go")
    if go is None:
        raise BinariesUnavailableError(
            f"{program.name} was not found, and Go is not installed. {HOW_TO_GET_THEM.format(cache=cache_directory())}"
        )
    program.cached.parent.mkdir(parents=True, exist_ok=True)
    unfinished = program.cached.with_suffix(".new")
    log = program.cached.with_suffix(".log")
    command = [go, "build", "-v", "-trimpath", "-mod=readonly", "-buildvcs=false"]
    command += ["-ldflags", program.linker_flags, "-o", str(unfinished), program.package]
    environment = {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": ""}
    started = time.monotonic()
    say(f"{program.name} {program.version}: building")
    with log.open("w") as output:
        process = subprocess.Popen(
            command, cwd=MODULES / program.module, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            while _still_running(process, 15):
                lines = log.read_text().splitlines()
                say(f"{program.name}: {time.monotonic() - started:.0f} s, {len(lines)} steps, {(lines or ['-'])[-1]}")
        finally:
            process.kill()
            process.wait()
    if process.returncode:
        end = "\n".join(log.read_text().splitlines()[-8:])
        raise BinariesUnavailableError(
            f"{program.name} could not be built:\n{end}\n{HOW_TO_GET_THEM.format(cache=cache_directory())}"
        )
    unfinished.rename(program.cached)
    say(f"{program.name}: built in {time.monotonic() - started:.0f} s")
    return program.cached


def _still_running(process: "subprocess.Popen[bytes]", seconds: float) -> bool:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return True
    return False
