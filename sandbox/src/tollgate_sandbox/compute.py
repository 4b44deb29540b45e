"""A plain REST service whose consumption is in a response header instead of a body: 0.25 CPU seconds per unit."""

from collections.abc import Mapping
from contextlib import suppress

from starlette.types import Receive, Scope, Send

from tollgate_sandbox import script as scripts
from tollgate_sandbox.course import after_a_wait, walk
from tollgate_sandbox.endpoint import Shared
from tollgate_sandbox.errors import DisconnectedError, RefusedError
from tollgate_sandbox.faults import HUGE
from tollgate_sandbox.journal import Entry
from tollgate_sandbox.jsons import Json, as_int, dumps
from tollgate_sandbox.requests import Received, check_key, read, record
from tollgate_sandbox.script import Script
from tollgate_sandbox.steps import whole_steps
from tollgate_sandbox.transport import Wire

HEADER = "x-consumed-cpu-seconds"
SECONDS_PER_UNIT = 0.25


class Compute:
    """GET or POST /v1/compute and /v1/compute/{job}; `units` comes from the body or the query, else it is 1."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with suppress(DisconnectedError):
            received = await read(scope, receive)
            entry = record(self._shared.journal, received, "compute")
            try:
                await self._respond(received, entry, (scope, receive, send))
            finally:
                self._shared.journal.close(entry)

    async def _respond(self, received: Received, entry: Entry, asgi: tuple[Scope, Receive, Send]) -> None:
        script, status, headers = Script(), 200, dict[str, str]()
        try:
            script = scripts.from_header(received.headers) or Script()
            body, headers = self._answer(received, script, entry)
        except RefusedError as refusal:
            script, status, body = Script(), refusal.status, {"error": refusal.message}
        raw = dumps(body)
        wire = Wire(*asgi, entry, script)
        if not (script.gzip or script.half_event):
            headers["content-length"] = str(len(raw))
        steps = await after_a_wait(whole_steps(raw, script), wire, self._shared.holds)
        await wire.start(status, {"content-type": "application/json", **headers})
        await walk(steps, wire, self._shared.holds, entry)

    def _answer(self, received: Received, script: Script, entry: Entry) -> tuple[Json, dict[str, str]]:
        if script.fail_status is not None:
            raise RefusedError(script.fail_status, "scripted failure")
        check_key(received.headers, self._shared.settings.require_key)
        seconds = SECONDS_PER_UNIT * _units(received)
        entry.usage = {"cpu_seconds": seconds}
        job = received.params.get("job", f"job-{entry.number}")
        return {"job": job, "status": "done", "result": seconds * 4}, _header(seconds, script)


def _units(received: Received) -> int:
    given: Mapping[str, object] = received.json() if received.body else received.params
    units = given.get("units", 1)
    number = int(units) if isinstance(units, str) and units.isdigit() else as_int(units)
    if number is None or number < 0:
        raise RefusedError(400, "units must be a whole number, 0 or more")
    return number


def _header(seconds: float, script: Script) -> dict[str, str]:
    """The consumption as the script garbles it; a header has no null, so that is an empty one."""
    garbled = {"null": "", "negative": f"-{seconds}", "string": "a lot", "huge": str(HUGE)}
    if script.usage == "missing":
        return {}
    return {HEADER: garbled.get(script.usage or "", str(seconds))}
