"""Requests of test calls, in each wire format. Short on purpose: every call costs money. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tollgate_cli.probe.cases import Case

Json = dict[str, Any]
Turns = tuple[tuple[str, str], ...]
UNKNOWN_MODEL = "does-not-exist"
_QUESTION = "Answer with one word: which colour has a clear sky?"
_LONG_QUESTION = "Count from 1 to 200 in words, separated by commas."
_TURNS: Turns = (("user", "My favourite number is 7."), ("assistant", "Noted."), ("user", "Which one is it? One word."))
#: Above the 1,024 to 4,096 tokens from which providers cache a prompt.
_PREFIX = "Rule {}: what passes the toll gate is counted once, and what does not pass is not counted. "
_RULES = 240
_SHORT, _LONG = 64, 400
_TOOL, _TOOL_ABOUT = "get_weather", "The weather of a city."
_SCHEMA: Json = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


@dataclass(frozen=True)
class Asked:
    """What a case asks, before it is written in a format."""

    model: str
    turns: Turns
    system: str
    limit: int
    tools: bool
    stream: bool


def ask(case: Case, model: str, stream: bool) -> Asked:
    """Of one call."""
    question = _LONG_QUESTION if case.leaves else "What is the weather in Oslo?" if case.tools else _QUESTION
    return Asked(
        model=UNKNOWN_MODEL if case.unknown_model else model,
        turns=_TURNS if case.multi_turn else (("user", question),),
        system="".join(_PREFIX.format(number) for number in range(_RULES)) if case.caching else "",
        limit=_LONG if case.leaves else _SHORT,
        tools=case.tools,
        stream=stream,
    )


def body_of(format_name: str, path: str, asked: Asked) -> Json:
    """The request's body; ``path`` tells a format's endpoints apart."""
    if is_embedding(path):
        return {"model": asked.model, "input": asked.turns[-1][1]}
    if takes_prompt(format_name, path):
        return _prompt(format_name, asked)
    return _WRITERS[format_name](asked)


def is_embedding(path: str) -> bool:
    """Whether an endpoint makes embeddings, which neither stream nor converse."""
    return path.rsplit("/", 1)[-1] in {"embeddings", "embed", "embed_content"}


def takes_prompt(format_name: str, path: str) -> bool:
    """Whether it takes one text instead of a conversation."""
    legacy = path.endswith("/completions") and not path.endswith("/chat/completions")
    return legacy or (format_name == "ollama" and path.endswith("/generate"))


def headers_of(format_name: str | None) -> Mapping[str, str]:
    """What every SDK of that provider sends besides its key."""
    return {"anthropic-version": "2023-06-01"} if format_name == "anthropic_messages" else {}


def query_of(format_name: str | None, stream: bool) -> Mapping[str, str]:
    """Gemini's SDKs ask for events instead of one long array."""
    return {"alt": "sse"} if format_name == "gemini" and stream else {}


def _prompt(format_name: str, asked: Asked) -> Json:
    text = "\n".join([asked.system, *(text for _, text in asked.turns)]).strip()
    bound: Json = {"options": {"num_predict": asked.limit}} if format_name == "ollama" else {"max_tokens": asked.limit}
    return {"model": asked.model, "prompt": text, "stream": asked.stream, **bound}


def _messages(asked: Asked) -> list[Json]:
    system = [("system", asked.system)] if asked.system else []
    return [{"role": role, "content": text} for role, text in (*system, *asked.turns)]


def _function() -> Json:
    return {"type": "function", "function": {"name": _TOOL, "description": _TOOL_ABOUT, "parameters": _SCHEMA}}


def _chat(bound: str, choice: str) -> Callable[[Asked], Json]:
    """The chat-completions family, which differs in how an output is bounded and a tool demanded."""

    def write(asked: Asked) -> Json:
        tools: Json = {"tools": [_function()], "tool_choice": choice} if asked.tools else {}
        return {
            "model": asked.model,
            "messages": _messages(asked),
            bound: asked.limit,
            "stream": asked.stream,
            **tools,
        }

    return write


def _responses(asked: Asked) -> Json:
    turns = [{"role": role, "content": text} for role, text in asked.turns]
    more: Json = {"instructions": asked.system} if asked.system else {}
    if asked.tools:
        function: Json = {"name": _TOOL, "description": _TOOL_ABOUT, "parameters": _SCHEMA, "strict": False}
        more |= {"tools": [{"type": "function", **function}], "tool_choice": "required"}
    return {"model": asked.model, "input": turns, "max_output_tokens": asked.limit, "stream": asked.stream, **more}


def _anthropic(asked: Asked) -> Json:
    more: Json = {}
    if asked.system:  # only what is marked is cached
        more["system"] = [{"type": "text", "text": asked.system, "cache_control": {"type": "ephemeral"}}]
    if asked.tools:
        tool = {"name": _TOOL, "description": _TOOL_ABOUT, "input_schema": _SCHEMA}
        more |= {"tools": [tool], "tool_choice": {"type": "any"}}
    messages = [{"role": role, "content": text} for role, text in asked.turns]
    return {"model": asked.model, "max_tokens": asked.limit, "messages": messages, "stream": asked.stream, **more}


def _gemini(asked: Asked) -> Json:
    roles = {"user": "user", "assistant": "model"}
    contents = [{"role": roles[role], "parts": [{"text": text}]} for role, text in asked.turns]
    more: Json = {"systemInstruction": {"parts": [{"text": asked.system}]}} if asked.system else {}
    if asked.tools:
        function = {"name": _TOOL, "description": _TOOL_ABOUT, "parameters": _SCHEMA}
        more |= {
            "tools": [{"functionDeclarations": [function]}],
            "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
        }
    return {"contents": contents, "generationConfig": {"maxOutputTokens": asked.limit}, **more}


def _ollama(asked: Asked) -> Json:
    tools: Json = {"tools": [_function()]} if asked.tools else {}
    options = {"num_predict": asked.limit}
    return {
        "model": asked.model,
        "messages": _messages(asked),
        "stream": asked.stream,
        "options": options,
        **tools,
    }


_WRITERS: Mapping[str, Callable[[Asked], Json]] = {
    "openai_completions": _chat("max_completion_tokens", "required"),
    "openai_responses": _responses,
    "anthropic_messages": _anthropic,
    "gemini": _gemini,
    "ollama": _ollama,
    "deepseek": _chat("max_tokens", "required"),
    "mistral": _chat("max_tokens", "any"),
}


def merge_patch(target: Json, patch: Mapping[str, Any]) -> Json:
    """RFC 7396: null removes a member, an object changes the members that it names."""
    merged = dict(target)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            inner = merged.get(key)
            merged[key] = merge_patch(inner if isinstance(inner, dict) else {}, value)  # pyright: ignore
        else:
            merged[key] = value
    return merged
