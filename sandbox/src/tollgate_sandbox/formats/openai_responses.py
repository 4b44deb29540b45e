"""OpenAI responses: named, numbered events around output items; usage only in the event that ends the response."""

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
)
from tollgate_sandbox.formats.openai_chat import OpenAIChat
from tollgate_sandbox.framing import Event
from tollgate_sandbox.jsons import Json, as_list, as_object


class OpenAIResponses(Dialect):
    """POST /v1/responses."""

    name = "openai-responses"

    def parse(self, body: Json, _params: Mapping[str, str]) -> Ask:
        given = body.get("input")
        if not given:
            raise RefusedError(400, "Missing required parameter: 'input'.", param="input")
        turns = [as_object(turn) for turn in as_list(given)]
        return Ask(
            model=model_of(body),
            texts=tuple(texts_in([body.get("instructions"), given])),
            last_user=given if isinstance(given, str) else last_user_text(turns),
            stream=flag_of(body, "stream"),
            limit=limit_of(body, "max_output_tokens"),
            tools=function_names(body.get("tools")),
        )

    def usage(self, answer: Answer) -> Json:
        return {
            "input_tokens": answer.prompt,
            "input_tokens_details": {"cached_tokens": answer.cached},
            "output_tokens": answer.output,
            "output_tokens_details": {"reasoning_tokens": answer.reasoning},
            "total_tokens": answer.prompt + answer.output,
        }

    def whole(self, answer: Answer) -> Json:
        return self._ended(answer)

    def stream(self, answer: Answer) -> Iterator[Event]:
        for number, event in enumerate(self._events(answer)):
            yield Event({**as_object(event.data), "sequence_number": number}, event.name)

    def error(self, refusal: RefusedError) -> Json:
        return OpenAIChat().error(refusal)

    def error_event(self, answer: Answer, at: int) -> Event:
        error = {"code": "server_error", "message": "The model failed to answer"}
        failed = {**self._response(answer, "failed"), "error": error}
        return _event("response.failed", response=failed, sequence_number=at)

    def headers(self, number: int) -> dict[str, str]:
        return {"x-request-id": f"req_{number:012d}"}

    def _events(self, answer: Answer) -> Iterator[Event]:
        begun = self._response(answer, "in_progress")
        yield _event("response.created", response=begun)
        yield _event("response.in_progress", response=begun)
        for index, item in enumerate(_items(answer)):
            yield _event("response.output_item.added", output_index=index, item=_opened(item))
            if item["type"] == "message":
                yield from _text_events(answer, item, index)
            elif item["type"] == "function_call":
                yield from _call_events(answer, item, index)
            yield _event("response.output_item.done", output_index=index, item=item)
        ended = self._ended(answer)
        yield _event(f"response.{ended['status']}", response=ended)

    def _ended(self, answer: Answer) -> Json:
        status = "incomplete" if answer.limited else "completed"
        reason = {"reason": "max_output_tokens"} if answer.limited else None
        rest = {"incomplete_details": reason, "output": _items(answer), "usage": self.usage(answer)}
        return {**self._response(answer, status), **rest}

    def _response(self, answer: Answer, status: str) -> Json:
        return {
            "id": f"resp_{answer.number:012d}",
            "object": "response",
            "created_at": answer.created,
            "status": status,
            "background": False,
            "error": None,
            "incomplete_details": None,
            "instructions": None,
            "max_output_tokens": answer.ask.limit,
            "metadata": {},
            "model": answer.model,
            "output": [],
            "parallel_tool_calls": True,
            "previous_response_id": None,
            "reasoning": {"effort": None, "summary": None},
            "service_tier": "default",
            "store": True,
            "temperature": 1.0,
            "text": {"format": {"type": "text"}},
            "tool_choice": "auto",
            "tools": [],
            "top_p": 1.0,
            "truncation": "disabled",
            "usage": None,
            "user": None,
        }


def _event(kind: str, **fields: object) -> Event:
    return Event({"type": kind, **fields}, kind)


def _items(answer: Answer) -> list[Json]:
    """The output items as they are in the end."""
    status = "incomplete" if answer.limited else "completed"
    items: list[Json] = []
    if answer.reasoning:
        items.append({"id": f"rs_{answer.number:012d}", "type": "reasoning", "summary": []})
    if answer.tool:
        call = {"call_id": f"call_{answer.tool.id}", "name": answer.tool.name, "arguments": answer.tool.text}
        items.append({"id": f"fc_{answer.number:012d}", "type": "function_call", "status": status, **call})
    else:
        message = {"role": "assistant", "content": [_part(answer.text)]}
        items.append({"id": f"msg_{answer.number:012d}", "type": "message", "status": status, **message})
    return items


def _opened(item: Json) -> Json:
    """The item as it is announced: still empty."""
    empty: Json = {"status": "in_progress", "content": [], "arguments": ""}
    return {key: empty.get(key, value) for key, value in item.items()}


def _part(text: str) -> Json:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _text_events(answer: Answer, item: Json, index: int) -> Iterator[Event]:
    place = {"item_id": item["id"], "output_index": index, "content_index": 0}
    yield _event("response.content_part.added", **place, part=_part(""))
    for piece in answer.pieces:
        yield _event("response.output_text.delta", **place, delta=piece, logprobs=[])
    yield _event("response.output_text.done", **place, text=answer.text, logprobs=[])
    yield _event("response.content_part.done", **place, part=_part(answer.text))


def _call_events(answer: Answer, item: Json, index: int) -> Iterator[Event]:
    place = {"item_id": item["id"], "output_index": index}
    for piece in answer.tool.pieces() if answer.tool else []:
        yield _event("response.function_call_arguments.delta", **place, delta=piece)
    done = {"name": item["name"], "arguments": item["arguments"]}
    yield _event("response.function_call_arguments.done", **place, **done)
