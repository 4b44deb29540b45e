"""What one witness saw of one response."""

from typing import Any, Literal

import msgspec

from tollgate_core.events import Witness

#: How the response ended: in full, because the client left, because the upstream broke off, or nobody can tell.
Ending = Literal["complete", "client", "upstream", "unknown"]


class Observation(msgspec.Struct, kw_only=True):
    """``events`` counts data events (or chunks) that passed; ``unreadable`` says why the body could not be read."""

    witness: Witness
    ending: Ending
    ended_ms: int
    status: int = 0
    usage: dict[str, Any] | None = None
    model: str = ""
    terminal: bool = False
    error: str = ""
    invalid: str = ""
    unreadable: str = ""
    events: int = 0
    streamed: bool = False
    response_headers: dict[str, str] = {}
    body: bytes | None = None
