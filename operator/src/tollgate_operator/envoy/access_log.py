"""The JSON access log: one line per request, the second witness. Never a path (it may hold a key), never a body."""

import envoy_data_plane.envoy.config.accesslog.v3 as accesslog
import envoy_data_plane.envoy.config.core.v3 as core
import envoy_data_plane.envoy.extensions.access_loggers.file.v3 as file
from envoy_data_plane.google.protobuf import Struct, Value

from tollgate_core.admission import ADMISSION_KEY, METADATA_NAMESPACE
from tollgate_operator.envoy.addresses import pack
from tollgate_operator.envoy.settings import METER, USAGE_NAMESPACE

_FIELDS = {
    "id": "%REQ(X-REQUEST-ID)%",
    "start": "%START_TIME(%s%3f)%",
    "duration": "%DURATION%",
    "route": "%ROUTE_NAME%",
    "code": "%RESPONSE_CODE%",
    "details": "%RESPONSE_CODE_DETAILS%",
    "flags": "%RESPONSE_FLAGS%",
    "sent": "%BYTES_SENT%",
    "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
    "upstream": "%UPSTREAM_CLUSTER%",
    "host": "%UPSTREAM_HOST%",
    "type": "%RESP(CONTENT-TYPE)%",
    "encoding": "%RESP(CONTENT-ENCODING)%",
    "meter": f"%FILTER_STATE({METER}:PLAIN)%",
    ADMISSION_KEY: f"%DYNAMIC_METADATA({METADATA_NAMESPACE}:{ADMISSION_KEY})%",
    "usage": f"%DYNAMIC_METADATA({USAGE_NAMESPACE})%",
}


def access_log(path: str, response_headers: list[str]) -> accesslog.AccessLog:
    """``response_headers`` (lower case) appear as ``header:<name>``."""
    fields = _FIELDS | {f"header:{name}": f"%RESP({name})%" for name in sorted(response_headers)}
    struct = Struct(fields={name: Value(string_value=text) for name, text in fields.items()})
    log = file.FileAccessLog(
        path=path, log_format=core.SubstitutionFormatString(json_format=struct, omit_empty_values=True)
    )
    return accesslog.AccessLog(name="envoy.access_loggers.file", typed_config=pack(log))
