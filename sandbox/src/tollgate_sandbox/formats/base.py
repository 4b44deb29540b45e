"""What every wire format has to be able to say."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import ClassVar

from tollgate_sandbox.answer import Answer, Ask
from tollgate_sandbox.errors import RefusedError
from tollgate_sandbox.framing import Event
from tollgate_sandbox.jsons import Json, as_int, as_list, as_object


class Dialect(ABC):
    """One provider's wire format."""

    name: ClassVar[str]
    usage_keys: ClassVar[frozenset[str]] = frozenset({"usage"})
    reasoning_apart: ClassVar[bool] = False
    cache_apart: ClassVar[bool] = False
    measurable: ClassVar[bool] = False
    """Whether the cheap stream for speed measurements speaks this format."""

    @abstractmethod
    def parse(self, body: Json, params: Mapping[str, str], /) -> Ask:
        """Read a request; raises RefusedError as the provider would."""

    @abstractmethod
    def usage(self, answer: Answer) -> Json:
        """The usage of the whole answer, as the provider counts it."""

    @abstractmethod
    def whole(self, answer: Answer) -> Json:
        """The answer to a request that does not stream."""

    @abstractmethod
    def stream(self, answer: Answer) -> Iterator[Event]:
        """The events of a streamed answer."""

    @abstractmethod
    def error(self, refusal: RefusedError) -> Json:
        """The body of an error status."""

    def error_event(self, answer: Answer, at: int, /) -> Event:
        """How the provider reports a failure after it has begun to stream, as event number `at`."""
        return Event(self.error(RefusedError(500, f"The model {answer.model} failed after {at} events")))

    def headers(self, _number: int, /) -> dict[str, str]:
        """Headers the provider adds to every response."""
        return {}


def model_of(body: Json) -> str:
    """The model's name, which every provider demands."""
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise RefusedError(400, "you must provide a model parameter", param="model")
    return model


def limit_of(body: Json, *keys: str) -> int | None:
    """The first output limit that is set."""
    for key in keys:
        value = body.get(key)
        if value is None:
            continue
        limit = as_int(value)
        if limit is None or limit < 1:
            raise RefusedError(400, f"{key} must be a positive integer", param=key)
        return limit
    return None


def flag_of(body: Json, key: str, *, default: bool = False) -> bool:
    """An optional boolean."""
    value = body.get(key)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise RefusedError(400, f"{key} must be a boolean", param=key)
    return value


def turns_of(body: Json, key: str) -> list[Json]:
    """The conversation, which may not be empty."""
    turns = [as_object(turn) for turn in as_list(body.get(key))]
    if not turns or not all(turns):
        raise RefusedError(400, f"{key} must be a non-empty array of objects", param=key)
    return turns


def texts_in(content: object) -> list[str]:
    """All text in a message's content, however deep the provider nests it."""
    if isinstance(content, str):
        return [content]
    inside = [text for part in as_list(content) for text in texts_in(part)]
    part = as_object(content)
    return inside + [
        text for key in ("text", "content", "parts", "output") if key in part for text in texts_in(part[key])
    ]


def last_user_text(turns: list[Json], key: str = "content") -> str:
    """What the user said last; a script may be hidden in it."""
    said = [" ".join(texts_in(turn.get(key))) for turn in turns if turn.get("role", "user") == "user"]
    return said[-1] if said else ""


def function_names(tools: object) -> tuple[str, ...]:
    """Names of the offered tools, whether or not wrapped in a `function` object."""
    offered = [as_object(tool) for tool in as_list(tools)]
    names = [as_object(tool.get("function", tool)).get("name") for tool in offered]
    return tuple(name for name in names if isinstance(name, str))
