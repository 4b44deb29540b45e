"""Keys of payment providers as files that only their owner can read: how a laptop's billing gets them."""

import os
from collections.abc import Mapping
from pathlib import Path


def write_key_files(folder: Path, files: Mapping[str, str]) -> None:
    """Each appears whole or not at all, what is there already is not touched, and what is not named goes."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    for name, content in files.items():
        path = folder / name
        if not path.exists() or path.read_text() != content:
            _write(path, content)
    for path in folder.glob("*.json"):
        if path.name not in files:
            path.unlink()


def _write(path: Path, content: str) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.unlink(missing_ok=True)  # with whatever rights it was left
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(content)
    os.replace(temporary, path)
