"""The usage event: one request, one event, all metrics. On the wire a CloudEvents 1.0 JSON object."""

from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from tollgate_core.admission import PriceVersion
from tollgate_core.errors import EventError

EVENT_TYPE: Literal["dev.tollgate.usage.v1"] = "dev.tollgate.usage.v1"

Outcome = Literal["completed", "error_response", "client_aborted", "upstream_error", "unaccounted"]
Quality = Literal["exact", "partial", "estimated"]
Witness = Literal["meter", "access_log", "hold", "api"]


class Usage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """The event's ``data``. ``usage`` is raw, as the provider reported it; ``quantities`` are decimal texts by metric;
    ``unmetered`` says for which metrics the quantity could not be computed, and why; ``api_key`` is the fingerprint of
    the key's hash, empty in events of earlier versions."""

    customer: str
    product: str
    product_version: str
    catalog: str
    endpoint: str
    outcome: Outcome
    quality: Quality
    witness: Witness
    ended_at: str
    format: str | None = None
    requested_model: str = ""
    served_model: str = ""
    streamed: bool = False
    status_code: int = 0
    reason: str = ""
    usage: dict[str, Any] | None = None
    dimensions: dict[str, int] = {}
    quantities: dict[str, str] = {}
    unmetered: dict[str, str] = {}
    prices: tuple[PriceVersion, ...] = ()
    api_key: str = ""


class UsageEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A CloudEvents 1.0 envelope. ``subject`` is the subscription, ``time`` when the request was admitted."""

    specversion: Literal["1.0"] = "1.0"
    id: str
    source: str
    type: Literal["dev.tollgate.usage.v1"] = EVENT_TYPE
    subject: str
    time: str
    datacontenttype: Literal["application/json"] = "application/json"
    data: Usage

    def encode(self) -> bytes:
        """Canonical JSON: equal events have equal bytes."""
        return msgspec.json.encode(self, order="sorted")

    @staticmethod
    def decode(encoded: bytes) -> "UsageEvent":
        """Raises EventError with a reason that names the field at fault."""
        try:
            return _DECODER.decode(encoded)
        except msgspec.DecodeError as error:
            raise EventError(f"not a usage event: {error}") from error


_DECODER = msgspec.json.Decoder(UsageEvent)


def rfc3339(milliseconds: int) -> str:
    """Milliseconds since 1970 as ``2026-11-22T05:21:00.123Z``."""
    moment = datetime.fromtimestamp(milliseconds // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}Z"
