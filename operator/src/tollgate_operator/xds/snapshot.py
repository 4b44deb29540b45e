"""What Envoy should run, and what each Envoy said of it."""

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from tollgate_operator.envoy.resources import Resources


@dataclass(frozen=True)
class Snapshot:
    """Resources with one version for each type: the hash of its content."""

    resources: Resources
    versions: Mapping[str, str]

    @staticmethod
    def of(resources: Resources) -> "Snapshot":
        """Equal content has an equal version, also after a restart."""
        return Snapshot(resources, {url: _version(group) for url, group in resources.by_type.items()})


def _version(group: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, content in sorted(group.items()):
        digest.update(len(name).to_bytes(4, "big") + name.encode() + len(content).to_bytes(8, "big") + content)
    return digest.hexdigest()[:16]


@dataclass(frozen=True)
class Acknowledgement:
    """An Envoy's word on one type of one version; ``error`` is empty where it took it."""

    node: str
    type_url: str
    version: str
    error: str = ""


@dataclass
class SnapshotCache:
    """The current snapshot; streams wait for the next."""

    current: Snapshot | None = None
    acknowledged: dict[tuple[str, str], Acknowledgement] = field(default_factory=dict[tuple[str, str], Acknowledgement])
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def publish(self, snapshot: Snapshot) -> None:
        """Make it current and wake the streams."""
        async with self._changed:
            self.current = snapshot
            self._changed.notify_all()

    async def wait_for_change(self, seen: Snapshot | None) -> Snapshot:
        """Return as soon as the current snapshot is another one than ``seen``."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.current is not None and self.current is not seen)
            assert self.current is not None  # noqa: S101
            return self.current

    async def acknowledge(self, word: Acknowledgement) -> None:
        """Remember an ACK or NACK and wake those who wait for one."""
        async with self._changed:
            self.acknowledged[word.node, word.type_url] = word
            self._changed.notify_all()

    def forget(self, node: str) -> None:
        """An Envoy is gone."""
        for key in [key for key in self.acknowledged if key[0] == node]:
            del self.acknowledged[key]

    async def wait_until_programmed(self, snapshot: Snapshot) -> list[Acknowledgement]:
        """Wait until some Envoy has said something of every type of ``snapshot``; the answers. Cancel to give up."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._answers(snapshot) is not None or self.current is not snapshot)
            return self._answers(snapshot) or []

    def _answers(self, snapshot: Snapshot) -> list[Acknowledgement] | None:
        nodes = {node for node, _ in self.acknowledged}
        words = [w for w in self.acknowledged.values() if snapshot.versions.get(w.type_url) == w.version]
        wanted = {url for url, group in snapshot.resources.by_type.items() if group}
        complete = bool(nodes) and all(wanted <= {w.type_url for w in words if w.node == node} for node in nodes)
        return words if complete else None
