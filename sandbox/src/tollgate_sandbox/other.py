"""Requests that cost nothing: the list of models, and paths that no provider has. The journal keeps them too."""

from contextlib import suppress

from starlette.types import Receive, Scope, Send

from tollgate_sandbox.course import walk
from tollgate_sandbox.endpoint import Shared
from tollgate_sandbox.errors import DisconnectedError, RefusedError
from tollgate_sandbox.formats.openai_chat import OpenAIChat
from tollgate_sandbox.jsons import Json, dumps
from tollgate_sandbox.requests import Received, check_key, read, record
from tollgate_sandbox.script import Script
from tollgate_sandbox.steps import whole_steps
from tollgate_sandbox.transport import Wire

MODELS_PATH = "/v1/models"
MODELS = ("sandbox-large", "sandbox-small")


class Other:
    """GET /v1/models, and 404 for all else: a proxy that rewrites a path wrongly shows in the journal."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with suppress(DisconnectedError):
            received = await read(scope, receive)
            entry = record(self._shared.journal, received, "other")
            try:
                status, body = self._answer(received)
                raw = dumps(body)
                wire = Wire(scope, receive, send, entry, Script())
                await wire.start(status, {"content-type": "application/json", "content-length": str(len(raw))})
                await walk(whole_steps(raw, Script()), wire, self._shared.holds, entry)
            finally:
                self._shared.journal.close(entry)

    def _answer(self, received: Received) -> tuple[int, Json]:
        try:
            check_key(received.headers, self._shared.settings.require_key)
            if (received.method, received.path) != ("GET", MODELS_PATH):
                raise RefusedError(404, f"Unknown request URL: {received.method} {received.path}")
        except RefusedError as refusal:
            return refusal.status, OpenAIChat().error(refusal)
        return 200, _models(for_anthropic="anthropic-version" in received.headers)


def _models(*, for_anthropic: bool) -> Json:
    """The models, in Anthropic's shape for a client that says it is Anthropic's."""
    if for_anthropic:
        made = "2025-01-01T00:00:00Z"
        found: list[Json] = [{"type": "model", "id": m, "display_name": m, "created_at": made} for m in MODELS]
        return {"data": found, "has_more": False, "first_id": MODELS[0], "last_id": MODELS[-1]}
    data: list[Json] = [{"id": m, "object": "model", "created": 1735689600, "owned_by": "sandbox"} for m in MODELS]
    return {"object": "list", "data": data}
