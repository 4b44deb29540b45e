"""One endpoint that speaks one format: reads, plans, answers and keeps the journal."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from starlette.types import Receive, Scope, Send

from tollgate_sandbox import script as scripts
from tollgate_sandbox.answer import Answer, Ask, plan
from tollgate_sandbox.course import Holds, after_a_wait, walk
from tollgate_sandbox.errors import DisconnectedError, RefusedError
from tollgate_sandbox.faults import spoil
from tollgate_sandbox.formats.base import Dialect
from tollgate_sandbox.framing import Event, framing_for
from tollgate_sandbox.journal import Entry, Journal
from tollgate_sandbox.jsons import Json, dumps
from tollgate_sandbox.requests import Received, check_key, check_model, read, record
from tollgate_sandbox.script import Script
from tollgate_sandbox.settings import Settings
from tollgate_sandbox.speed import run_speed, speed_usage
from tollgate_sandbox.steps import stream_steps, whole_steps
from tollgate_sandbox.transport import Wire


@dataclass(frozen=True, slots=True)
class Shared:
    """What all endpoints of one sandbox have in common."""

    settings: Settings
    journal: Journal
    holds: Holds


class Endpoint:
    """An ASGI application for one format. `params` is what the route alone knows."""

    def __init__(self, dialect: Dialect, shared: Shared, **params: str) -> None:
        self._dialect, self._shared, self._params = dialect, shared, params

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with suppress(DisconnectedError):
            received = await read(scope, receive)
            entry = record(self._shared.journal, received, self._dialect.name)
            try:
                await self._respond(received, entry, (scope, receive, send))
            finally:
                self._shared.journal.close(entry)

    async def _respond(self, received: Received, entry: Entry, asgi: tuple[Scope, Receive, Send]) -> None:
        try:
            ask, script = self._understand(received, entry)
        except RefusedError as refusal:
            await self._refuse(refusal, Wire(*asgi, entry, Script()), entry)
            return
        if script.events is not None:
            await self._measure(Wire(*asgi, entry, Script()), ask, script, entry)
            return
        script = _negotiated(script, received.headers)
        wire = Wire(*asgi, entry, script)
        answer = plan(
            ask,
            script,
            entry.number,
            apart=self._dialect.reasoning_apart,
            cache_apart=self._dialect.cache_apart,
        )
        entry.usage = self._dialect.usage(answer)
        await (self._stream if ask.stream else self._whole)(wire, answer, script, entry)

    def _understand(self, received: Received, entry: Entry) -> tuple[Ask, Script]:
        """The request and its script. A scripted failure comes before any other check, as an overload would."""
        script = scripts.from_header(received.headers)
        _fail_if_told(script)
        check_key(received.headers, self._shared.settings.require_key)
        ask = self._dialect.parse(received.json(), {**received.params, **self._params})
        entry.model, entry.streamed = ask.model, ask.stream
        check_model(ask.model)
        script = script or scripts.from_text(ask.last_user) or Script()
        _fail_if_told(script)
        if script.events is not None and not (self._dialect.measurable and ask.stream):
            raise RefusedError(400, "sandbox script field 'events' needs a stream of OpenAI chat completions")
        return ask, script

    async def _whole(self, wire: Wire, answer: Answer, script: Script, entry: Entry) -> None:
        body = dumps(self._spoilt(self._dialect.whole(answer), script), lines=script.multi_line_data)
        sized = not (script.half_event or script.gzip)
        length = {"content-length": str(len(body))} if sized else {}
        steps = await after_a_wait(whole_steps(body, script), wire, self._shared.holds)
        await self._start(wire, entry, 200, "application/json", length)
        await walk(steps, wire, self._shared.holds, entry)

    async def _stream(self, wire: Wire, answer: Answer, script: Script, entry: Entry) -> None:
        framing = framing_for(answer.ask.framing, script)
        events = [self._spoilt_event(event, script) for event in self._dialect.stream(answer)]
        error = self._dialect.error_event(answer, script.error_event_after or 0)
        await self._start(wire, entry, 200, framing.content_type, {"cache-control": "no-cache"})
        await walk(stream_steps(events, framing, script, error), wire, self._shared.holds, entry)

    async def _measure(self, wire: Wire, ask: Ask, script: Script, entry: Entry) -> None:
        entry.usage = speed_usage(ask, script)
        await self._start(wire, entry, 200, "text/event-stream", {})
        await run_speed(wire, ask, script, entry)

    async def _refuse(self, refusal: RefusedError, wire: Wire, entry: Entry) -> None:
        body = dumps(self._dialect.error(refusal))
        retry = {"retry-after": "1"} if refusal.status in {429, 503, 529} else {}
        length = {"content-length": str(len(body))}
        await self._start(wire, entry, refusal.status, "application/json", {**length, **retry})
        await walk(whole_steps(body, Script()), wire, self._shared.holds, entry)

    async def _start(self, wire: Wire, entry: Entry, status: int, kind: str, more: Mapping[str, str]) -> None:
        await wire.start(status, {"content-type": kind, **self._dialect.headers(entry.number), **more})

    def _spoilt(self, document: Json, script: Script) -> Json:
        return spoil(document, self._dialect.usage_keys, script.usage)

    def _spoilt_event(self, event: Event, script: Script) -> Event:
        return event if isinstance(event.data, str) else Event(self._spoilt(event.data, script), event.name)


def _fail_if_told(script: Script | None) -> None:
    if script is not None and script.fail_status is not None:
        raise RefusedError(script.fail_status, f"scripted failure with status {script.fail_status}")


def _negotiated(script: Script, headers: Mapping[str, str]) -> Script:
    """The script with compression settled."""
    asked = script.honour_encoding and "gzip" in headers.get("accept-encoding", "").lower()
    return replace(script, gzip=True) if asked else script
