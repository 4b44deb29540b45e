"""Reading the small JSON bodies of control endpoints, with an error that names the field."""

from collections.abc import Sequence

from tollgate_sandbox.jsons import Json


class Fields:
    """A body whose fields are taken one by one; what is left over was misspelt."""

    def __init__(self, body: Json) -> None:
        self._left = dict(body)

    def text(self, name: str, default: str) -> str:
        """A text."""
        value = self._left.pop(name, default)
        if not isinstance(value, str):
            raise ValueError(f"{name} must be a text")
        return value

    def whole(self, name: str, default: int, *, least: int = 0) -> int:
        """A whole number."""
        value = self._left.pop(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(f"{name} must be a whole number of at least {least}")
        return value

    def share(self, name: str, default: float) -> float:
        """A probability."""
        value = self._left.pop(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise ValueError(f"{name} must be a probability between 0 and 1")
        return float(value)

    def flag(self, name: str, default: bool) -> bool:
        """True or false."""
        value = self._left.pop(name, default)
        if not isinstance(value, bool):
            raise ValueError(f"{name} must be true or false")
        return value

    def choice(self, name: str, options: Sequence[str], default: str | None = None) -> str:
        """One of several words."""
        value = self._left.pop(name, default)
        if value not in options:
            raise ValueError(f"{name} must be one of {', '.join(options)}")
        return str(value)

    def end(self) -> None:
        """Complain about fields nobody asked for."""
        if self._left:
            raise ValueError(f"unknown field {', '.join(sorted(self._left))}")
