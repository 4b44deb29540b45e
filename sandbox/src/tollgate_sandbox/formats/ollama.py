"""Ollama: newline-delimited JSON that streams unless told not to; counts stand beside the text."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from tollgate_sandbox.answer import Answer, Ask
from tollgate_sandbox.errors import RefusedError
from tollgate_sandbox.formats.base import (
    Dialect,
    flag_of,
    function_names,
    last_user_text,
    model_of,
    texts_in,
    turns_of,
)
from tollgate_sandbox.framing import Event
from tollgate_sandbox.jsons import Json, as_int, as_object


class Ollama(Dialect):
    """POST /api/chat and /api/generate."""

    name = "ollama"
    usage_keys = frozenset({"prompt_eval_count", "eval_count"})

    def parse(self, body: Json, params: Mapping[str, str]) -> Ask:
        texts, last = _generate_texts(body) if params.get("flavour") == "generate" else _chat_texts(body)
        limit = as_int(as_object(body.get("options")).get("num_predict"))
        return Ask(
            model=model_of(body),
            texts=texts,
            last_user=last,
            stream=flag_of(body, "stream", default=True),
            limit=limit if limit is not None and limit >= 0 else None,
            tools=function_names(body.get("tools")),
            framing="ndjson",
            flavour=params.get("flavour", "chat"),
        )

    def usage(self, answer: Answer) -> Json:
        return {"prompt_eval_count": answer.prompt, "eval_count": answer.output}

    def whole(self, answer: Answer) -> Json:
        return self._last(answer, answer.text, answer.thinking, call=True)

    def stream(self, answer: Answer) -> Iterator[Event]:
        for piece in answer.thoughts:
            yield Event({**_head(answer), **_say(answer, "", piece), "done": False})
        for piece in answer.pieces:
            yield Event({**_head(answer), **_say(answer, piece), "done": False})
        if answer.tool and answer.ask.flavour == "chat":
            yield Event({**_head(answer), **_say(answer, "", call=True), "done": False})
        yield Event(self._last(answer, ""))

    def error(self, refusal: RefusedError) -> Json:
        return {"error": refusal.message}

    def _last(self, answer: Answer, text: str, thinking: str = "", *, call: bool = False) -> Json:
        """The object that ends an answer: durations are in nanoseconds and made up from the counts."""
        prompt_time, output_time = answer.prompt * 1_000_000, answer.output * 10_000_000
        return {
            **_head(answer),
            **_say(answer, text, thinking, call=call),
            "done": True,
            "done_reason": "length" if answer.limited else "stop",
            "total_duration": prompt_time + output_time + 5_000_000,
            "load_duration": 5_000_000,
            "prompt_eval_duration": prompt_time,
            "eval_duration": output_time,
            **self.usage(answer),
        }


def _chat_texts(body: Json) -> tuple[tuple[str, ...], str]:
    turns = turns_of(body, "messages")
    return tuple(texts_in([turn.get("content") for turn in turns])), last_user_text(turns)


def _generate_texts(body: Json) -> tuple[tuple[str, ...], str]:
    prompt = body.get("prompt", "")
    if not isinstance(prompt, str):
        raise RefusedError(400, "prompt must be a string", param="prompt")
    return tuple(texts_in([body.get("system"), prompt])), prompt


def _head(answer: Answer) -> Json:
    moment = datetime.fromtimestamp(answer.created, UTC).isoformat(timespec="microseconds")
    return {"model": answer.model, "created_at": moment.replace("+00:00", "Z")}


def _say(answer: Answer, text: str, thinking: str = "", *, call: bool = False) -> Json:
    thought = {"thinking": thinking} if thinking else {}
    if answer.ask.flavour == "generate":
        return {"response": text, **thought}
    message: Json = {"role": "assistant", "content": text, **thought}
    if call and answer.tool:
        function = {"name": answer.tool.name, "arguments": answer.tool.arguments}
        message["tool_calls"] = [{"function": function}]
    return {"message": message}
