"""A request as the gate sees it: Envoy's headers, parsed once."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast
from urllib.parse import parse_qsl, unquote_plus, urlencode

import orjson

from tollgate_extproc.wire.ext_proc_pb2 import HttpHeaders

#: Where official SDKs put an API key; none of them reaches an upstream or an expression.
CREDENTIAL_HEADERS = ("authorization", "x-api-key", "api-key", "x-goog-api-key")
CREDENTIAL_PARAMETER = "key"


@dataclass(frozen=True)
class Original:
    """The request as the client sent it, to tell what transformations changed."""

    headers: dict[str, str]
    target: str
    body: bytes


@dataclass
class Request:
    """``headers`` have lower-case names; repeated ones are joined by a comma, as HTTP allows."""

    method: str
    path: str
    query_string: str
    headers: dict[str, str]
    remote_address: str
    body: bytes = b""
    params: dict[str, str] = field(default_factory=dict[str, str])
    original: "Original" = field(init=False)

    def __post_init__(self) -> None:
        self.original = Original(dict(self.headers), self.target, self.body)

    def receive_body(self, body: bytes) -> None:
        """The client's body has arrived."""
        self.set_body(body)
        self.original = Original(self.original.headers, self.original.target, body)

    @cached_property
    def query(self) -> dict[str, str]:
        """Query parameters; repeated ones joined by a comma, as for headers, so that none can hide behind another."""
        found: dict[str, str] = {}
        for name, value in parse_qsl(self.query_string, keep_blank_values=True):
            found[name] = f"{found[name]},{value}" if name in found else value
        return found

    @cached_property
    def json(self) -> Any:
        """The body as JSON, or None where it is none."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return None

    @property
    def json_object(self) -> dict[str, Any] | None:
        """The body, where it is a JSON object."""
        decoded: Any = self.json
        return cast("dict[str, Any]", decoded) if isinstance(decoded, dict) else None

    def variables(self) -> dict[str, object]:
        """The variables of CEL expressions; credentials are left out."""
        query = {name: value for name, value in self.query.items() if name != CREDENTIAL_PARAMETER}
        request: dict[str, object] = {
            "method": self.method,
            "path": self.path,
            "headers": {n: v for n, v in self.headers.items() if n not in CREDENTIAL_HEADERS and n[:1] != ":"},
            "query": query,
            "body": self.body.decode(errors="replace"),
            "remote_addr": self.remote_address,
        }
        if self.json is not None:
            request["json"] = self.json
        return {"request": request, "path": {"params": self.params}}

    def drop_parameter(self, name: str) -> None:
        """Without one parameter; the rest stays as it was sent, in its order."""
        parts = [part for part in self.query_string.split("&") if unquote_plus(part.partition("=")[0]) != name]
        self.__dict__.pop("query", None)
        self.query_string = "&".join(parts)

    def set_query(self, query: dict[str, str]) -> None:
        """Replace the query."""
        self.__dict__["query"] = query
        self.query_string = urlencode(query)

    def set_body(self, body: bytes) -> None:
        """Replace the body."""
        self.__dict__.pop("json", None)
        self.body = body

    @property
    def target(self) -> str:
        """Path and query."""
        return f"{self.path}?{self.query_string}" if self.query_string else self.path


def parse_request(message: HttpHeaders, remote_address: str) -> Request:
    """From Envoy's headers message."""
    headers: dict[str, str] = {}
    for header in message.headers.headers:
        value = header.raw_value.decode("latin-1") if header.raw_value else header.value
        headers[header.key] = f"{headers[header.key]},{value}" if header.key in headers else value
    path, _, query = headers.get(":path", "/").partition("?")
    return Request(headers.get(":method", "GET"), path, query, headers, remote_address)
