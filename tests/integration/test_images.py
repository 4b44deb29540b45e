"""Each component starts from what its image holds: its own wheel, core's, its locked dependencies. No Docker needed."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.helm import ROOT
from tollgate_cli.laptop import loopback
from tollgate_cli.laptop.system import free_port, wait_for

COMPONENTS = ("operator", "extproc", "billing", "sandbox")
#: A command and the first variable that it misses.
MISSING: dict[str, dict[tuple[str, ...], str]] = {
    "operator": {
        ("tollgate-operator",): "TOLLGATE_FULLNAME",
        ("tollgate-operator", "bootstrap"): "TOLLGATE_FULLNAME",
    },
    "extproc": {("tollgate-extproc",): "TOLLGATE_EXTPROC_LISTEN", ("tollgate-witness",): "TOLLGATE_ACCESS_LOG"},
    "billing": {("tollgate-billing",): "TOLLGATE_ADMIN_TOKEN"},
    "sandbox": {},
}


def _interpreter() -> str:
    """Outside of our own virtual environment."""
    return str(Path(sys.executable).resolve())


class Image:
    """The environment of one component, moved away from where it was made."""

    def __init__(self, component: str, directory: Path) -> None:
        self.component = component
        self.place = directory / "image"
        made = directory / "made"
        subprocess.run(
            ["sh", str(ROOT / "tools" / "image-environment.sh"), component, str(made)],
            env={**os.environ, "UV": str(Path(sys.executable).parent / "uv"), "PYTHON": _interpreter(), "COMPILE": "0"},
            check=True,
            timeout=150,
        )
        made.rename(self.place)

    def run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """With an environment that holds nothing."""
        return subprocess.run(
            [str(self.place / "bin" / command[0]), *command[1:]],
            env={"PATH": "/usr/bin:/bin"},
            cwd=self.place,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @contextmanager
    def running(self, *command: str, log: Path, **environment: str) -> Iterator["subprocess.Popen[bytes]"]:
        """The process, ended at the end."""
        with log.open("wb") as output:
            process = subprocess.Popen(
                [str(self.place / "bin" / command[0]), *command[1:]],
                env={"PATH": "/usr/bin:/bin", **environment},
                cwd=self.place,
                stdout=output,
                stderr=output,
            )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture(scope="module", params=COMPONENTS)
def image(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Image:
    """Each component's in turn."""
    return Image(request.param, tmp_path_factory.mktemp(request.param))


def test_it_holds_its_own_dependencies_and_nothing_else(image: Image) -> None:
    script = (
        "import importlib.metadata as m, pkgutil\n"
        "print(*sorted({d.metadata['Name'].lower().replace('_', '-') for d in m.distributions()}))\n"
        "print(*sorted(i.name for i in pkgutil.iter_modules() if i.name.startswith('tollgate')))\n"
    )
    result = image.run("python", "-c", script)
    assert result.returncode == 0, result.stderr
    installed, packages = (set(line.split()) for line in result.stdout.splitlines())
    own = {f"tollgate_{image.component}"} | ({"tollgate_core"} if image.component != "sandbox" else set())
    assert packages == own
    lock = (ROOT / "requirements" / f"{image.component}.txt").read_text()
    locked = {name.lower() for name in re.findall(r"(?m)^([\w.-]+)(?:\[.*\])?==", lock)}
    extra = installed - {name.replace("_", "-") for name in own} - {name.replace("_", "-") for name in locked}
    assert extra == set()
    assert not {"pip", "setuptools", "wheel", "uv"} & installed


def test_its_programs_are_its_own(image: Image) -> None:
    programs = {p.name for p in (image.place / "bin").iterdir() if not p.name.startswith("python")}
    assert (
        programs
        == {
            "operator": {"tollgate-operator"},
            "extproc": {"tollgate-extproc", "tollgate-witness"},
            "billing": {"tollgate-billing"},
            "sandbox": {"tollgate-sandbox"},
        }[image.component]
    )


def test_a_missing_setting_is_named_in_one_line(image: Image) -> None:
    for command, variable in MISSING[image.component].items():
        result = image.run(*command)
        assert result.returncode == 2, result.stderr
        assert variable in result.stderr
        assert result.stderr.count("\n") == 1, result.stderr


def test_it_starts_and_ends(image: Image, tmp_path: Path) -> None:
    """Without its neighbours: all that it imports is there, and it waits."""
    port, log = free_port(), tmp_path / "log"
    common = {"TOLLGATE_REDIS_URL": "redis://127.0.0.1:1", "TOLLGATE_KEY_PEPPER": "pepper"}
    if image.component == "operator":
        assert "bootstrap" in image.run("tollgate-operator", "--help").stdout
        return
    if image.component == "extproc":
        listen = {"TOLLGATE_EXTPROC_LISTEN": f"unix:{tmp_path}/g", "TOLLGATE_METER_LISTEN": f"unix:{tmp_path}/m"}
        state = {"TOLLGATE_STATE_DIR": str(tmp_path / "state")}
        with image.running("tollgate-extproc", log=log, **common, **listen, **state) as process:
            assert wait_for((tmp_path / "m").exists, 20), log.read_text()
            assert process.poll() is None
        with image.running("tollgate-witness", log=log, **common, **state, TOLLGATE_ACCESS_LOG=f"{tmp_path}/log") as w:
            assert wait_for((tmp_path / "state").exists, 20), log.read_text()
            assert w.poll() is None
        return
    if image.component == "billing":
        command, path, own = ["tollgate-billing"], "/healthz", {
            "TOLLGATE_DATABASE_URL": f"sqlite:///{tmp_path}/ledger.db",
            "TOLLGATE_ADMIN_TOKEN": "token",
            "TOLLGATE_BILLING_LISTEN": f"127.0.0.1:{port}",
        }  # fmt: skip
    else:
        command, path, own = ["tollgate-sandbox", "--port", str(port)], "/sandbox/totals", {}

    def answers() -> bool:
        try:
            return loopback.get(f"http://127.0.0.1:{port}{path}", trust_env=False).is_success
        except httpx.TransportError:
            return False

    with image.running(*command, log=log, **common, **own) as process:
        assert wait_for(answers, 30), log.read_text()
    assert process.returncode == 0, log.read_text()


def test_the_dockerfile_has_a_target_for_each() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert set(re.findall(r"(?m)^FROM runtime AS (\w+)$", text)) == set(COMPONENTS)
    for component in COMPONENTS:
        assert f"COPY --from=builder /environments/{component} /opt/tollgate" in text
    assert re.search(r"(?m)^USER 65532:65532$", text)
