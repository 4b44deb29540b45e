"""OpenAI chat completions, which other providers imitate with differences of their own."""

from collections.abc import Iterator, Mapping
from typing import ClassVar

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
from tollgate_sandbox.jsons import Json, as_object


class OpenAIChat(Dialect):
    """POST /v1/chat/completions."""

    name = "openai-chat"
    measurable = True

    def parse(self, body: Json, _params: Mapping[str, str]) -> Ask:
        turns = turns_of(body, "messages")
        return Ask(
            model=model_of(body),
            texts=tuple(texts_in([turn.get("content") for turn in turns])),
            last_user=last_user_text(turns),
            stream=flag_of(body, "stream"),
            limit=limit_of(body, "max_completion_tokens", "max_tokens"),
            tools=function_names(body.get("tools")),
            choices=limit_of(body, "n") or 1,
            include_usage=self._include_usage(body),
        )

    def usage(self, answer: Answer) -> Json:
        output = answer.output * answer.choices
        return {
            "prompt_tokens": answer.prompt,
            "completion_tokens": output,
            "total_tokens": answer.prompt + output,
            "prompt_tokens_details": {"cached_tokens": answer.cached, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": answer.reasoning * answer.choices,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        }

    def whole(self, answer: Answer) -> Json:
        message = {"role": "assistant", "content": answer.text, **self.whole_extras(answer)}
        if answer.tool:
            message |= {"content": None, "tool_calls": [self._call(answer)]}
        choice = {"message": message, "logprobs": None, "finish_reason": self._finish(answer)}
        choices = [{"index": index, **choice} for index in range(answer.choices)]
        head = self._head(answer, "chat.completion")
        return {**head, "choices": choices, "usage": self.usage(answer)}

    def stream(self, answer: Answer) -> Iterator[Event]:
        for index in range(answer.choices):
            yield self._chunk(answer, index, {"role": "assistant", "content": "", **self.role_extras})
        for index in range(answer.choices):
            for delta in (*self.thought_deltas(answer), *self._deltas(answer)):
                yield self._chunk(answer, index, delta)
        yield from self.ends(answer)
        yield Event("[DONE]")

    def error(self, refusal: RefusedError) -> Json:
        kind, code = _ERRORS.get(refusal.status, ("invalid_request_error", None))
        if refusal.status >= 500:
            kind = "server_error"
        return {"error": {"message": refusal.message, "type": kind, "param": refusal.param, "code": code}}

    def headers(self, number: int) -> dict[str, str]:
        return {"x-request-id": f"req_{number:012d}"}

    # What imitations do differently

    role_extras: ClassVar[Json] = {"refusal": None}

    def whole_extras(self, _answer: Answer, /) -> Json:
        """Further fields of a message that is not streamed."""
        return {"refusal": None, "annotations": []}

    def thought_deltas(self, _answer: Answer, /) -> list[Json]:
        """How reasoning is shown; OpenAI does not show it."""
        return []

    def ends(self, answer: Answer) -> Iterator[Event]:
        """The chunks with the finish reason and with the usage."""
        for index in range(answer.choices):
            yield self._chunk(answer, index, {}, finish=self._finish(answer))
        if answer.ask.include_usage:
            yield Event({**self._head(answer, "chat.completion.chunk"), "choices": [], "usage": self.usage(answer)})

    # Shared by all

    def _include_usage(self, body: Json) -> bool:
        options = body.get("stream_options")
        if options is not None and not flag_of(body, "stream"):
            message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
            raise RefusedError(400, message, param="stream_options")
        return flag_of(as_object(options), "include_usage")

    def _head(self, answer: Answer, kind: str) -> Json:
        return {
            "id": f"chatcmpl-{answer.number:012d}",
            "object": kind,
            "created": answer.created,
            "model": answer.model,
            "service_tier": "default",
            "system_fingerprint": "fp_sandbox",
        }

    def _chunk(self, answer: Answer, index: int, delta: Json, finish: str | None = None) -> Event:
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
        usage = {"usage": None} if answer.ask.include_usage else {}
        return Event({**self._head(answer, "chat.completion.chunk"), "choices": [choice], **usage})

    def _deltas(self, answer: Answer) -> list[Json]:
        if answer.tool is None:
            return [{"content": piece} for piece in answer.pieces]
        call = self._call(answer)
        first = {**call, "index": 0, "function": {"name": answer.tool.name, "arguments": ""}}
        rest = [{"index": 0, "function": {"arguments": piece}} for piece in answer.tool.pieces()]
        return [{"tool_calls": [part]} for part in (first, *rest)]

    def _call(self, answer: Answer) -> Json:
        if answer.tool is None:
            return {}
        function = {"name": answer.tool.name, "arguments": answer.tool.text}
        return {"id": f"call_{answer.tool.id}", "type": "function", "function": function}

    def _finish(self, answer: Answer) -> str:
        if answer.limited:
            return "length"
        return "tool_calls" if answer.tool else "stop"


_ERRORS: dict[int, tuple[str, str | None]] = {
    401: ("invalid_request_error", "invalid_api_key"),
    404: ("invalid_request_error", "model_not_found"),
    429: ("requests", "rate_limit_exceeded"),
}
