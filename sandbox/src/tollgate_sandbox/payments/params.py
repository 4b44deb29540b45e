"""Parameters that remember which were looked at."""

from typing import Any

from tollgate_sandbox.jsons import Json


class Params(dict[str, Any]):
    """One that nobody read had no effect, and the answer says so."""

    def __init__(self, values: Json, always_read: tuple[str, ...] = ()) -> None:
        super().__init__(values)
        self.read: set[str] = set(always_read)

    def missing(self, key: str) -> Exception:
        """What is raised where a parameter is needed and not there."""
        return KeyError(key)

    def __getitem__(self, key: str) -> Any:
        """Raises what `missing` says: the SDK's types leave open what the API itself requires."""
        self.read.add(key)
        if not super().__contains__(key):
            raise self.missing(key)
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        self.read.add(str(key))
        return super().__contains__(key)

    def get(self, key: str, default: Any = None) -> Any:
        """As a dict's."""
        self.read.add(key)
        return super().get(key, default)

    @property
    def ignored(self) -> list[str]:
        """What was sent and never read."""
        return sorted(set(self) - self.read)
