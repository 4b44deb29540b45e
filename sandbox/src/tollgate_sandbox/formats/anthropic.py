"""Anthropic messages: named events, provisional usage first and cumulative usage last."""

from collections.abc import Iterator, Mapping

from tollgate_sandbox.answer import Answer, Ask
from tollgate_sandbox.errors import RefusedError
from tollgate_sandbox.formats.base import (
    Dialect,
    flag_of,
    function_names,
    last_user_text,
    limit_of,
    model_of,
    texts_in,
    turns_of,
)
from tollgate_sandbox.framing import Event
from tollgate_sandbox.jsons import Json


class Anthropic(Dialect):
    """POST /v1/messages."""

    name = "anthropic"
    cache_apart = True

    def parse(self, body: Json, _params: Mapping[str, str]) -> Ask:
        turns = turns_of(body, "messages")
        limit = limit_of(body, "max_tokens")
        if limit is None:
            raise RefusedError(400, "max_tokens: Field required", param="max_tokens")
        return Ask(
            model=model_of(body),
            texts=tuple(texts_in([body.get("system"), *(turn.get("content") for turn in turns)])),
            last_user=last_user_text(turns),
            stream=flag_of(body, "stream"),
            limit=limit,
            tools=function_names(body.get("tools")),
        )

    def usage(self, answer: Answer) -> Json:
        return {
            "input_tokens": answer.prompt,
            "cache_creation_input_tokens": answer.cache_write,
            "cache_read_input_tokens": answer.cached,
            "cache_creation": {"ephemeral_5m_input_tokens": answer.cache_write, "ephemeral_1h_input_tokens": 0},
            "output_tokens": answer.output,
            "service_tier": "standard",
        }

    def whole(self, answer: Answer) -> Json:
        blocks = [{**block, **filled} for block, filled, _ in _blocks(answer)]
        usage = self.usage(answer)
        return {**_message(answer), "content": blocks, "stop_reason": _stop_reason(answer), "usage": usage}

    def stream(self, answer: Answer) -> Iterator[Event]:
        usage = self.usage(answer)
        yield _event("message_start", message={**_message(answer), "usage": {**usage, "output_tokens": 1}})
        for index, (block, _, deltas) in enumerate(_blocks(answer)):
            yield _event("content_block_start", index=index, content_block=block)
            if index == 0:
                yield _event("ping")
            for delta in deltas:
                yield _event("content_block_delta", index=index, delta=delta)
            yield _event("content_block_stop", index=index)
        final = {key: value for key, value in usage.items() if key not in {"cache_creation", "service_tier"}}
        delta = {"stop_reason": _stop_reason(answer), "stop_sequence": None}
        yield _event("message_delta", delta=delta, usage=final)
        yield _event("message_stop")

    def error(self, refusal: RefusedError) -> Json:
        kind = _KINDS.get(refusal.status, "invalid_request_error" if refusal.status < 500 else "api_error")
        message = f"{refusal.param}: {refusal.message}" if refusal.param else refusal.message
        return {"type": "error", "error": {"type": kind, "message": message}}

    def error_event(self, _answer: Answer, _at: int) -> Event:
        return _event("error", error={"type": "overloaded_error", "message": "Overloaded"})

    def headers(self, number: int) -> dict[str, str]:
        return {"request-id": f"req_{number:012d}"}


def _event(kind: str, **fields: object) -> Event:
    return Event({"type": kind, **fields}, kind)


def _message(answer: Answer) -> Json:
    return {
        "id": f"msg_{answer.number:012d}",
        "type": "message",
        "role": "assistant",
        "model": answer.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }


def _blocks(answer: Answer) -> Iterator[tuple[Json, Json, list[Json]]]:
    """Each content block: as it starts, what fills it, and the deltas that fill it in a stream."""
    if answer.thoughts:
        thoughts: list[Json] = [{"type": "thinking_delta", "thinking": piece} for piece in answer.thoughts]
        filled = {"thinking": answer.thinking, "signature": "c2FuZGJveA=="}
        signature = {"type": "signature_delta", "signature": "c2FuZGJveA=="}
        yield {"type": "thinking", "thinking": "", "signature": ""}, filled, [*thoughts, signature]
    if answer.tool:
        start: Json = {"type": "tool_use", "id": f"toolu_{answer.tool.id}", "name": answer.tool.name, "input": {}}
        parts: list[Json] = [{"type": "input_json_delta", "partial_json": part} for part in ["", *answer.tool.pieces()]]
        yield start, {"input": answer.tool.arguments}, parts
    else:
        texts: list[Json] = [{"type": "text_delta", "text": piece} for piece in answer.pieces]
        yield {"type": "text", "text": ""}, {"text": answer.text}, texts


def _stop_reason(answer: Answer) -> str:
    if answer.limited:
        return "max_tokens"
    return "tool_use" if answer.tool else "end_turn"


_KINDS = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}
