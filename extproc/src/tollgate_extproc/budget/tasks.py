"""What a worker is asked and what it answers, as messages on its pipes."""

import struct
from typing import Any

import msgspec

#: Before every message.
LENGTH = struct.Struct("<I")


class Task(msgspec.Struct, array_like=True, frozen=True):
    """``variables`` and ``functions`` are JSON objects; a function's value is worked out before."""

    kind: str
    source: str
    variables: bytes
    functions: bytes = b"{}"


class Answer(msgspec.Struct, array_like=True, frozen=True):
    """One of the two."""

    value: Any = None
    error: str = ""
