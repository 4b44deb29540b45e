"""Mistral: chat completions that always report usage, in the last choice's chunk, and refuse unknown fields."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from tollgate_sandbox.answer import Answer, Ask
from tollgate_sandbox.errors import RefusedError
from tollgate_sandbox.formats.openai_chat import OpenAIChat
from tollgate_sandbox.framing import Event
from tollgate_sandbox.jsons import Json


class Mistral(OpenAIChat):
    """POST /v1/chat/completions."""

    name = "mistral"
    measurable = False
    role_extras: ClassVar[Json] = {}

    def parse(self, body: Json, params: Mapping[str, str]) -> Ask:
        if "stream_options" in body:
            raise RefusedError(422, "Extra inputs are not permitted", param="stream_options")
        return super().parse(body, params)

    def usage(self, answer: Answer) -> Json:
        output = answer.output * answer.choices
        cached = {"prompt_tokens_details": {"cached_tokens": answer.cached}} if answer.cached else {}
        return {
            "prompt_tokens": answer.prompt,
            "total_tokens": answer.prompt + output,
            "completion_tokens": output,
            **cached,
        }

    def whole_extras(self, answer: Answer) -> Json:
        return {"tool_calls": None, **({"content": self._thought(answer)} if answer.thoughts else {})}

    def thought_deltas(self, answer: Answer) -> list[Json]:
        return [{"content": [_thinking(piece)]} for piece in answer.thoughts]

    def ends(self, answer: Answer) -> Iterator[Event]:
        for index in range(answer.choices):
            event = self._chunk(answer, index, {"content": ""}, finish=self._finish(answer))
            data: Any = event.data
            last = index == answer.choices - 1
            yield Event({**data, "usage": self.usage(answer)} if last else data)

    def error(self, refusal: RefusedError) -> Json:
        if refusal.status == 401:
            return {"detail": "Unauthorized"}
        if refusal.status == 422:
            where = ["body", *([refusal.param] if refusal.param else [])]
            return {"detail": [{"type": "extra_forbidden", "loc": where, "msg": refusal.message, "input": None}]}
        kind, code = _KINDS.get(refusal.status, ("invalid_request_error", None))
        return {"object": "error", "message": refusal.message, "type": kind, "param": refusal.param, "code": code}

    def _head(self, answer: Answer, kind: str) -> Json:
        head = super()._head(answer, kind)
        return {key: head[key] for key in ("id", "object", "created", "model")}

    def _thought(self, answer: Answer) -> list[Json]:
        return [_thinking(answer.thinking), {"type": "text", "text": answer.text}]


def _thinking(text: str) -> Json:
    return {"type": "thinking", "thinking": [{"type": "text", "text": text}]}


_KINDS: dict[int, tuple[str, str | None]] = {
    404: ("invalid_model", "1500"),
    429: ("rate_limited", "1300"),
    500: ("service_unavailable", "3000"),
    503: ("service_unavailable", "3000"),
}
