"""Reading a request once, and the checks that every endpoint shares."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from starlette.datastructures import Headers, QueryParams
from starlette.types import Receive, Scope

from tollgate_sandbox.errors import DisconnectedError, RefusedError
from tollgate_sandbox.journal import Entry, Journal
from tollgate_sandbox.jsons import Json, loads

MISSING_MODEL = "does-not-exist"


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came in."""

    method: str
    path: str
    headers: Headers
    params: Mapping[str, str]
    """Path and query parameters together."""
    body: bytes

    def json(self) -> Json:
        """The body as a JSON object."""
        try:
            value: object = loads(self.body)
        except ValueError as error:
            raise RefusedError(400, f"We could not parse the JSON body of your request: {error}") from error
        if not isinstance(value, dict):
            raise RefusedError(400, "The body must be a JSON object")
        return cast(Json, value)


async def read(scope: Scope, receive: Receive) -> Received:
    """The whole request; providers too read it all before they answer."""
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise DisconnectedError
        body += message.get("body", b"")
        more = message.get("more_body", False)
    params = {**QueryParams(scope["query_string"]), **scope.get("path_params", {})}
    return Received(scope["method"], scope["path"], Headers(scope=scope), params, bytes(body))


def record(journal: Journal, received: Received, name: str) -> Entry:
    """Open the journal entry of a request."""
    entry = journal.open(received.path, received.method, received.headers.items(), received.body)
    entry.format = name
    return entry


def check_key(headers: Headers, wanted: str | None) -> None:
    """Refuse a request without the right credential, in whichever header its provider takes it."""
    if wanted is None:
        return
    scheme, _, token = headers.get("authorization", "").partition(" ")
    given = [headers.get(name) for name in ("x-api-key", "x-goog-api-key", "api-key")]
    if scheme.lower() == "bearer":
        given.append(token.strip())
    if wanted not in given:
        raise RefusedError(401, "Incorrect API key provided")


def check_model(model: str) -> None:
    """Refuse the one model that does not exist."""
    if model == MISSING_MODEL:
        raise RefusedError(404, f"The model `{model}` does not exist or you do not have access to it.", param="model")
