"""Manifests from a directory of YAML files, watched for edits.

A file that is no YAML keeps all its last good resources; a resource that is wrong keeps its own last good version.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import watchfiles
import yaml

from tollgate_core.errors import ManifestError, Problem
from tollgate_core.manifests import parse_manifest, qualified_name
from tollgate_core.manifests.parse import Manifest

Key = tuple[str, str]


@dataclass(frozen=True)
class Loaded:
    """``broken`` names resources that could not be parsed; ``files`` those files that are no YAML, with the reason."""

    resources: Mapping[Key, Manifest] = field(default_factory=dict[Key, Manifest])
    broken: Mapping[Key, list[Problem]] = field(default_factory=dict[Key, list[Problem]])
    files: Mapping[str, str] = field(default_factory=dict[str, str])
    origins: Mapping[Key, str] = field(default_factory=dict[Key, str])


class FileSource:
    """Reads ``*.yaml`` and ``*.yml`` below a directory (or one file)."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._last: Loaded = Loaded()

    def load(self) -> Loaded:
        """Everything as it stands now."""
        resources: dict[Key, Manifest] = {}
        broken: dict[Key, list[Problem]] = {}
        files: dict[str, str] = {}
        origins: dict[Key, str] = {}
        for path in self._paths():
            name = str(path)
            try:
                documents = list(yaml.safe_load_all(path.read_text()))
            except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
                files[name] = " ".join(str(error).split())
                kept = [key for key, origin in self._last.origins.items() if origin == name]
                resources |= {key: self._last.resources[key] for key in kept if key in self._last.resources}
                origins |= dict.fromkeys(kept, name)
                continue
            for document in documents:
                if document is not None:
                    self._take(document, name, resources, broken, origins)
        self._last = Loaded(resources, broken, files, origins)
        return self._last

    def _take(
        self,
        document: object,
        file: str,
        resources: dict[Key, Manifest],
        broken: dict[Key, list[Problem]],
        origins: dict[Key, str],
    ) -> None:
        try:
            manifest = parse_manifest(document)
        except ManifestError as error:
            key = _key_of(document, file)
            broken[key] = error.problems
            origins[key] = file
            return
        key = (manifest.kind, manifest.qualified_name)
        if key in origins:
            broken[key] = [Problem("metadata.name", f"{key[0]}/{key[1]} is in {origins[key]} and in {file}")]
            return
        resources[key] = manifest
        origins[key] = file

    def _paths(self) -> Iterator[Path]:
        if self._directory.is_file():
            yield self._directory
            return
        for path in sorted(self._directory.rglob("*")):
            hidden = any(part.startswith(".") for part in path.relative_to(self._directory).parts)
            if path.suffix in {".yaml", ".yml"} and path.is_file() and not hidden:
                yield path

    async def changes(self) -> AsyncIterator[Loaded]:
        """A new state after every edit; edits close together are one."""
        changes = watchfiles.awatch(  # pyright: ignore[reportUnknownMemberType]
            self._directory, debounce=200, step=50, recursive=True
        )
        async for _ in changes:
            yield self.load()


def _key_of(document: object, file: str) -> Key:
    fields = cast("dict[str, Any]", document) if isinstance(document, dict) else {}
    kind = str(fields.get("kind", "document"))
    metadata: Any = fields.get("metadata")
    named = cast("dict[str, Any]", metadata) if isinstance(metadata, dict) else {}
    name = named.get("name")
    if not isinstance(name, str):
        return kind, f"(unnamed in {file})"
    return kind, qualified_name(str(named.get("namespace", "default")), name)
