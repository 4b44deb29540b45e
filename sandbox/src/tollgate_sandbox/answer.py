"""What the client asked for and what it shall be told, in terms every format shares."""

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from tollgate_sandbox.jsons import Json, dumps
from tollgate_sandbox.script import Script

DEFAULT_TOKENS = 12
WORDS = ("toll", "gate", "road", "coin", "lane", "pass", "mile", "fare", "booth", "bridge", "ticket", "arch")
_PIECE = re.compile(r"\s*\S+(?:\s+$)?")


@dataclass(frozen=True, slots=True)
class Ask:
    """A request after its format has been read away."""

    model: str
    texts: tuple[str, ...]
    last_user: str
    stream: bool
    limit: int | None = None
    tools: tuple[str, ...] = ()
    choices: int = 1
    include_usage: bool = False
    framing: str = "sse"
    flavour: str = ""
    """A format's own switch, where one format has two endpoints."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The one function call an answer may hold."""

    id: str
    name: str
    arguments: Json

    @property
    def text(self) -> str:
        """The arguments as the JSON text that some providers send."""
        return dumps(self.arguments).decode()

    def pieces(self, size: int = 8) -> list[str]:
        """The argument text as a stream delivers it."""
        return [self.text[at : at + size] for at in range(0, len(self.text), size)]


@dataclass(frozen=True, slots=True)
class Answer:
    """A planned answer. `output` counts `reasoning` unless the format reports that apart."""

    ask: Ask
    number: int
    prompt: int
    output: int
    reasoning: int
    cached: int
    cache_write: int
    tool_prompt: int
    limited: bool
    pieces: tuple[str, ...]
    thoughts: tuple[str, ...]
    tool: ToolCall | None
    created: int = field(default_factory=lambda: int(time.time()))

    @property
    def model(self) -> str:
        """The model's name, as asked for."""
        return self.ask.model

    @property
    def choices(self) -> int:
        """How many times the answer is given."""
        return self.ask.choices

    @property
    def text(self) -> str:
        """All the visible text."""
        return "".join(self.pieces)

    @property
    def thinking(self) -> str:
        """All the reasoning text."""
        return "".join(self.thoughts)


def count_words(texts: Iterable[str]) -> int:
    """This provider's tokenizer: a token is a word."""
    return sum(len(text.split()) for text in texts)


def words(count: int) -> tuple[str, ...]:
    """Text of exactly that many tokens, in the pieces a stream delivers."""
    return tuple((" " if at else "") + WORDS[at % len(WORDS)] for at in range(count))


def plan(ask: Ask, script: Script, number: int, *, apart: bool, cache_apart: bool) -> Answer:
    """Decide the whole answer up front, so that its usage is known whatever happens on the wire.

    `apart`: reasoning is counted beside the output. `cache_apart`: cached tokens are counted beside the prompt.
    """
    prompt = max(1, count_words(ask.texts))
    said = tuple(_PIECE.findall(script.text)) or (script.text,) if script.text is not None else None
    wanted = script.tokens if script.tokens is not None else DEFAULT_TOKENS if said is None else len(said)
    whole = wanted + (script.reasoning if apart else 0)
    allowed = whole if ask.limit is None else min(whole, ask.limit)
    reasoning = min(script.reasoning, allowed)
    output = min(wanted, allowed - reasoning) if apart else allowed
    visible = output if apart else output - reasoning
    tool = _tool_call(ask, script, number)
    return Answer(
        ask=ask,
        number=number,
        prompt=prompt,
        output=output,
        reasoning=reasoning,
        cached=script.cached if cache_apart else min(script.cached, prompt),
        cache_write=script.cache_write,
        tool_prompt=script.tool_prompt,
        limited=allowed < whole,
        pieces=() if tool else _visible(said, visible, script, allowed < whole),
        thoughts=words(reasoning),
        tool=tool,
    )


def _visible(said: tuple[str, ...] | None, count: int, script: Script, limited: bool) -> tuple[str, ...]:
    """The pieces of text; literal text is cut only by the client's limit, filler never adds a word."""
    pieces = words(count) if said is None else said[:count] if limited else said
    if script.big_event_bytes:
        first, *rest = pieces or ("",)
        pieces = ("x" * script.big_event_bytes + first.lstrip(), *rest)
    return pieces


def _tool_call(ask: Ask, script: Script, number: int) -> ToolCall | None:
    if not (script.tool and ask.tools):
        return None
    arguments = {"query": "toll gate"} if script.tool_args is None else script.tool_args
    return ToolCall(f"{number:09d}", ask.tools[0], arguments)
