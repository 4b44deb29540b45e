"""The Lua texts of this package."""

from importlib.resources import files
from typing import Literal


def script(name: Literal["push", "counters", "ready"]) -> str:
    """One text."""
    return (files("tollgate_billing.hydration") / f"{name}.lua").read_text()
