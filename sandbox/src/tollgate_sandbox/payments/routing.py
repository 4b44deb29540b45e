"""Finding the operation that a request means."""

import re
from collections.abc import Iterable
from typing import Generic, Protocol, TypeVar


class Endpoint(Protocol):
    """A method on a path with {names}."""

    @property
    def method(self) -> str:
        """GET, POST and so on."""
        ...

    @property
    def path(self) -> str:
        """With {names} for ids."""
        ...


Found = TypeVar("Found", bound=Endpoint)


class Table(Generic[Found]):
    """Operations by path; fixed words win over names."""

    def __init__(self, operations: Iterable[Found]) -> None:
        self._entries = [(_pattern(operation.path), operation) for operation in operations]
        self._entries.sort(key=lambda entry: entry[1].path.count("{"))

    def find(self, method: str, path: str) -> tuple[Found, list[str]] | None:
        """The operation and the ids in the path."""
        for pattern, operation in self._entries:
            found = pattern.fullmatch(path)
            if found and operation.method == method:
                return operation, list(found.groups())
        return None


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{\w+\}", "([^/]+)", path))
