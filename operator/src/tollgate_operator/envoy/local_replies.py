"""What Envoy itself answers (too large a body, no healthy upstream), in the error shape most SDKs parse."""

import envoy_data_plane.envoy.config.accesslog.v3 as accesslog
import envoy_data_plane.envoy.config.core.v3 as core
import envoy_data_plane.envoy.extensions.access_loggers.filters.cel.v3 as cel
import envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 as hcm
from envoy_data_plane.google.protobuf import Struct, Value

from tollgate_core.admission import DENIAL_DETAILS_PREFIX
from tollgate_operator.envoy.addresses import pack


def local_replies() -> hcm.LocalReplyConfig:
    """``{"type": "error", "error": {message, type, code}}``: OpenAI's and Anthropic's clients both read it."""
    error = {
        "message": "%LOCAL_REPLY_BODY%",
        "type": "gateway_error",
        "code": "%RESPONSE_CODE_DETAILS%",
    }
    body = Struct(
        fields={
            "type": Value(string_value="error"),
            "error": Value(struct_value=Struct(fields={k: Value(string_value=v) for k, v in error.items()})),
        }
    )
    ours = cel.ExpressionFilter(expression=f'!response.code_details.startsWith("{DENIAL_DETAILS_PREFIX}")')
    mapper = hcm.ResponseMapper(
        filter=accesslog.AccessLogFilter(
            extension_filter=accesslog.ExtensionFilter(
                name="envoy.access_loggers.extension_filters.cel", typed_config=pack(ours)
            )
        ),
        body_format_override=core.SubstitutionFormatString(json_format=body),
    )
    return hcm.LocalReplyConfig(mappers=[mapper])
