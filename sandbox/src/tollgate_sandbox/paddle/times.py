"""Times as texts, in UTC."""

from datetime import UTC, datetime

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.payments.periods import later

_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"


def text_of(seconds: float) -> str:
    """A time as answers carry it."""
    return datetime.fromtimestamp(seconds, UTC).strftime(_FORMAT)


def text_of_micros(micros: int) -> str:
    """The same with all its digits."""
    seconds, rest = divmod(micros, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest).strftime(_FORMAT)


def seconds_of(text: str) -> int:
    """Seconds since 1970, the rest cut off."""
    return int(datetime.fromisoformat(text).timestamp())


def normal(text: str) -> str:
    """A time that somebody sent, as answers carry it; raises ValueError."""
    told = datetime.fromisoformat(text)
    if told.tzinfo is None:
        raise ValueError("a time without a zone")
    return told.astimezone(UTC).strftime(_FORMAT)


def period(start: int, cycle: Json) -> Json:
    """The billing period of that cycle that begins then."""
    return {"starts_at": text_of(start), "ends_at": text_of(later(start, cycle["interval"], cycle["frequency"]))}
