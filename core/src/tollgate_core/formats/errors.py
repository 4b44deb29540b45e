"""Error bodies in the shapes that the providers' SDKs parse.

Sources: OpenAI "Error codes", Anthropic "Errors", google.rpc.Code's HTTP mapping, Ollama's API documentation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_OPENAI_TYPES = {
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}
_ANTHROPIC_TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_GOOGLE_STATUSES = {
    401: "UNAUTHENTICATED",
    402: "FAILED_PRECONDITION",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def openai_error(status: int, code: str, message: str) -> dict[str, Any]:
    """`{"error": {"message", "type", "param", "code"}}`; also the generic shape."""
    kind = _word(_OPENAI_TYPES, status, "invalid_request_error", "server_error")
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def mistral_error(status: int, code: str, message: str) -> dict[str, Any]:
    """`{"object": "error", "message", "type", "param", "code"}`: OpenAI's words, not nested."""
    return {"object": "error", **openai_error(status, code, message)["error"]}


def anthropic_error(status: int, message: str) -> dict[str, Any]:
    """`{"type": "error", "error": {"type", "message"}}`."""
    kind = _word(_ANTHROPIC_TYPES, status, "invalid_request_error", "api_error")
    return {"type": "error", "error": {"type": kind, "message": message}}


def google_error(status: int, message: str) -> dict[str, Any]:
    """`{"error": {"code", "message", "status"}}`, the status a word of google.rpc.Code."""
    word = _word(_GOOGLE_STATUSES, status, "INVALID_ARGUMENT", "INTERNAL")
    return {"error": {"code": status, "message": message, "status": word}}


def ollama_error(message: str) -> dict[str, Any]:
    """`{"error": "…"}`."""
    return {"error": message}


def _word(words: Mapping[int, str], status: int, client: str, server: str) -> str:
    return words.get(status) or (client if status < 500 else server)
