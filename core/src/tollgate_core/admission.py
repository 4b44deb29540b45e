"""The admission record: what the gate knows of an admitted request, in one line of text.

It travels with the request as Envoy's dynamic metadata, to the meter and into the access log, so that either witness
can write the whole usage event by itself. It holds no header, no body and no secret, only values that a metric's
expressions ask for.
"""

from typing import Any

import msgspec

#: Dynamic metadata namespace and key under which Envoy carries the record.
METADATA_NAMESPACE = "tollgate"
ADMISSION_KEY = "admission"
#: Envoy's response code details of the gate's own denials begin so; Envoy's own replies never do.
DENIAL_DETAILS_PREFIX = "tollgate_"


class CounterReference(msgspec.Struct, frozen=True, array_like=True):
    """A limited metric's counter for the period in which the request was admitted, or the wallet's. Times in
    milliseconds."""

    metric: str
    period_start: int
    period_end: int
    #: Of the wallet's counter: what a unit of each metric takes, in major units of its currency.
    rates: dict[str, float] = {}
    #: Of the API key alone that made the request.
    per_key: bool = False


class PriceVersion(msgspec.Struct, frozen=True, array_like=True):
    """Which version of which price applies to a metric."""

    metric: str
    name: str
    version: str


class Admission(msgspec.Struct, frozen=True, array_like=True):
    """``id`` is the request's and the usage event's id; ``captured`` the request side of the metrics' expressions;
    ``api_key`` the fingerprint of the key's hash. New fields come last and have defaults: records of another version
    are on their way while this one starts."""

    id: str
    started_ms: int
    partition: int
    subscription: str
    customer: str
    product: str
    product_version: str
    catalog: str
    endpoint: str
    model: str
    streamed: bool
    input_estimate: int
    prices: tuple[PriceVersion, ...] = ()
    counters: tuple[CounterReference, ...] = ()
    captured: dict[str, Any] = {}
    api_key: str = ""

    def encode(self) -> str:
        """One line of JSON."""
        return _ENCODER.encode(self).decode()

    @staticmethod
    def decode(text: str | bytes) -> "Admission":
        """Raises msgspec.DecodeError for what is not an admission record."""
        return _DECODER.decode(text)


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Admission)
