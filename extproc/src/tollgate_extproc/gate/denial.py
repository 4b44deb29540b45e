"""Refusals, in the error shape that the API's own SDK parses."""

from dataclasses import dataclass, field

import orjson

from tollgate_core.admission import DENIAL_DETAILS_PREFIX
from tollgate_core.formats import error_body
from tollgate_extproc.wire.ext_proc_pb2 import (
    HeaderMutation,
    HeaderValue,
    HeaderValueOption,
    HttpStatus,
    ImmediateResponse,
)

_OVERWRITE = HeaderValueOption.AppendAction.OVERWRITE_IF_EXISTS_OR_ADD


@dataclass(frozen=True)
class Denial:
    """An answer instead of a call. ``retry_after_ms`` is set where trying again later can help."""

    status: int
    code: str
    message: str
    retry_after_ms: int | None = None
    headers: dict[str, str] = field(default_factory=dict[str, str])


def immediate_response(denial: Denial, format_name: str | None) -> ImmediateResponse:
    """For Envoy."""
    headers = {"content-type": "application/json", **denial.headers}
    if denial.retry_after_ms is not None:
        headers["retry-after"] = str(max(1, -(-denial.retry_after_ms // 1000)))
    if denial.status == 401:
        headers["www-authenticate"] = "Bearer"
    return ImmediateResponse(
        status=HttpStatus(code=denial.status),
        headers=HeaderMutation(set_headers=[set_header(name, value) for name, value in headers.items()]),
        body=orjson.dumps(error_body(format_name, denial.status, denial.code, denial.message)),
        details=DENIAL_DETAILS_PREFIX + denial.code,
    )


def set_header(name: str, value: str) -> HeaderValueOption:
    """Overwrite or add."""
    return HeaderValueOption(header=HeaderValue(key=name, raw_value=value.encode()), append_action=_OVERWRITE)
