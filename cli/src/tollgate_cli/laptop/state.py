"""The state directory: secrets, endpoints.json, logs, databases. All of it private to the user."""

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Secrets:
    """Made once for a state directory; never shown."""

    key_pepper: str
    admin_token: str

    def __repr__(self) -> str:
        return "Secrets(…)"


class StateDirectory:
    """Paths below it, and its two JSON files."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.path.mkdir(parents=True, exist_ok=True)
        self.path.chmod(0o700)

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def secrets(self) -> Secrets:
        """Read, or made at random the first time."""
        file = self / "secrets.json"
        if not file.exists():
            write_private(
                file, {"key_pepper": secrets.token_urlsafe(32), "admin_token": "tga_" + secrets.token_urlsafe(32)}
            )
        return Secrets(**json.loads(file.read_text()))

    def endpoints(self) -> dict[str, Any]:
        """endpoints.json, or an empty object."""
        file = self / "endpoints.json"
        return json.loads(file.read_text()) if file.exists() else {}

    def write_endpoints(self, content: dict[str, Any]) -> None:
        """Atomically; it holds keys, so only the user may read it."""
        write_private(self / "endpoints.json", content)


def write_private(path: Path, content: dict[str, Any]) -> None:
    """JSON that nobody else can read, never half written."""
    temporary = path.with_suffix(".tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(content, file, indent=2)
    os.replace(temporary, path)


def pointer_file() -> Path:
    """Names the state directory of the last ``tollgate up``, for the commands that attach to it."""
    base = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return base / "tollgate" / "last"
