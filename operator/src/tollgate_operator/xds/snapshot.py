"""What Envoy should run, and what each Envoy said of it."""

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from tollgate_operator.envoy.resources import Resources


@dataclass(frozen=True)
class Snapshot:
    """Resources with a version for each (the hash of its content) and one for all of them."""

    resources: Resources
    versions: Mapping[str, Mapping[str, str]]
    version: str

    @staticmethod
    def of(resources: Resources) -> "Snapshot":
        """Equal content has an equal version, also after a restart and on another replica."""
        versions = {
            url: {name: _hash(content) for name, content in group.items()} for url, group in resources.by_type.items()
        }
        lines = sorted(f"{url} {name} {version}" for url, group in versions.items() for name, version in group.items())
        return Snapshot(resources, versions, _hash("\n".join(lines).encode()))


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


@dataclass(frozen=True)
class Report:
    """An Envoy's word on a snapshot, given when it has answered all of it. ``errors`` are what it refused, and why."""

    version: str
    errors: tuple[str, ...] = ()


@dataclass
class SnapshotCache:
    """The current snapshot; streams wait for the next. ``reports`` holds every connected Envoy (None: no word yet)."""

    current: Snapshot | None = None
    reports: dict[str, Report | None] = field(default_factory=dict[str, Report | None])
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

    async def report(self, stream: str, report: Report | None) -> None:
        """Remember what the Envoy behind a stream said and wake those who wait for it."""
        async with self._changed:
            if self.reports.get(stream, "none") != report:
                self.reports[stream] = report
                self._changed.notify_all()

    async def forget(self, stream: str) -> None:
        """An Envoy is gone."""
        async with self._changed:
            self.reports.pop(stream, None)
            self._changed.notify_all()

    async def wait_for_reports(self, seen: Mapping[str, Report | None]) -> dict[str, Report | None]:
        """All reports, as soon as they are others than ``seen``."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.reports != seen)
            return dict(self.reports)

    async def wait_until_programmed(self, snapshot: Snapshot) -> list[Report]:
        """Wait until every connected Envoy (at least one) has said its word on ``snapshot``; the words. None where
        another snapshot became current meanwhile. Cancel to give up."""
        async with self._changed:
            await self._changed.wait_for(
                lambda: bool(words_on(snapshot.version, self.reports)) or self.current is not snapshot
            )
            return words_on(snapshot.version, self.reports)


def words_on(version: str, reports: Mapping[str, Report | None]) -> list[Report]:
    """What all Envoys said of a snapshot; empty while one of them has not, or while there is none."""
    words = [report for report in reports.values() if report is not None and report.version == version]
    return words if len(words) == len(reports) else []
