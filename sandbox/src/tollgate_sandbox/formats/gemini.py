"""Gemini generateContent: camel case, usage that grows in every chunk, reasoning counted beside the output."""

from collections.abc import Iterator, Mapping

from tollgate_sandbox.answer import Answer, Ask
from tollgate_sandbox.errors import RefusedError
from tollgate_sandbox.formats.base import Dialect, function_names, last_user_text, limit_of, texts_in, turns_of
from tollgate_sandbox.framing import Event
from tollgate_sandbox.jsons import Json, as_list, as_object


class Gemini(Dialect):
    """POST /v1beta/models/{model}:generateContent and :streamGenerateContent, and the same under /v1."""

    name = "gemini"
    usage_keys = frozenset({"usageMetadata"})
    reasoning_apart = True

    def parse(self, body: Json, params: Mapping[str, str]) -> Ask:
        model, _, verb = params["call"].partition(":")
        if verb not in {"generateContent", "streamGenerateContent"}:
            raise RefusedError(404, f"unknown method {verb!r}")
        turns = turns_of(body, "contents")
        system = body.get("systemInstruction", body.get("system_instruction"))
        return Ask(
            model=model,
            texts=tuple(texts_in([system, *turns])),
            last_user=last_user_text(turns, "parts"),
            stream=verb == "streamGenerateContent",
            limit=_limit(body),
            tools=_tools(body),
            framing="sse-crlf" if params.get("alt") == "sse" else "array",
        )

    def usage(self, answer: Answer) -> Json:
        return self._usage(answer, answer.output)

    def whole(self, answer: Answer) -> Json:
        return self._chunk(answer, _parts(answer), answer.output, last=True)

    def stream(self, answer: Answer) -> Iterator[Event]:
        steps = [[{"text": piece}] for piece in answer.pieces] if answer.tool is None else [_parts(answer)]
        steps = steps or [[{"text": ""}]]
        for at, parts in enumerate(steps, 1):
            last = at == len(steps)
            yield Event(self._chunk(answer, parts, answer.output if last else min(at, answer.output), last=last))

    def error(self, refusal: RefusedError) -> Json:
        status = _STATUSES.get(refusal.status, "INVALID_ARGUMENT" if refusal.status < 500 else "INTERNAL")
        return {"error": {"code": refusal.status, "message": refusal.message, "status": status}}

    def _usage(self, answer: Answer, output: int) -> Json:
        """The usage so far; Gemini leaves out what is zero."""
        optional = {
            "cachedContentTokenCount": answer.cached,
            "toolUsePromptTokenCount": answer.tool_prompt,
            "thoughtsTokenCount": answer.reasoning,
        }
        return {
            "promptTokenCount": answer.prompt,
            "candidatesTokenCount": output,
            "totalTokenCount": answer.prompt + answer.tool_prompt + answer.reasoning + output,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": answer.prompt}],
            **{key: value for key, value in optional.items() if value},
        }

    def _chunk(self, answer: Answer, parts: list[Json], output: int, *, last: bool) -> Json:
        candidate: Json = {"content": {"parts": parts, "role": "model"}, "index": 0}
        if last:
            candidate["finishReason"] = "MAX_TOKENS" if answer.limited else "STOP"
        return {
            "candidates": [candidate],
            "usageMetadata": self._usage(answer, output),
            "modelVersion": answer.model,
            "responseId": f"resp{answer.number:012d}",
        }


def _parts(answer: Answer) -> list[Json]:
    if answer.tool is None:
        return [{"text": answer.text}]
    return [{"functionCall": {"name": answer.tool.name, "args": answer.tool.arguments}}]


def _limit(body: Json) -> int | None:
    config = as_object(body.get("generationConfig", body.get("generation_config")))
    return limit_of(config, "maxOutputTokens", "max_output_tokens")


def _tools(body: Json) -> tuple[str, ...]:
    offered = [as_object(tool) for tool in as_list(body.get("tools"))]
    keys = ("functionDeclarations", "function_declarations")
    return tuple(name for tool in offered for key in keys for name in function_names(tool.get(key)))


_STATUSES = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
