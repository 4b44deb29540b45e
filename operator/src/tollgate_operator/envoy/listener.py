"""The listener: Lua (capture and strip), gate, meter, decompressors, router. Responses pass in the opposite order.

So the meter sees a response first (decoded), then the Lua filter captures its usage and removes what was forced.
"""

from datetime import timedelta
from importlib.resources import files

import envoy_data_plane.envoy.config.common.mutation_rules.v3 as rules
import envoy_data_plane.envoy.config.core.v3 as core
import envoy_data_plane.envoy.config.listener.v3 as listener
import envoy_data_plane.envoy.extensions.compression.brotli.decompressor.v3 as brotli
import envoy_data_plane.envoy.extensions.compression.gzip.decompressor.v3 as gzip
import envoy_data_plane.envoy.extensions.compression.zstd.decompressor.v3 as zstd
import envoy_data_plane.envoy.extensions.filters.http.decompressor.v3 as decompressor
import envoy_data_plane.envoy.extensions.filters.http.ext_proc.v3 as ext_proc
import envoy_data_plane.envoy.extensions.filters.http.lua.v3 as lua
import envoy_data_plane.envoy.extensions.filters.http.router.v3 as router
import envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 as hcm
import envoy_data_plane.envoy.extensions.transport_sockets.tls.v3 as tls
import envoy_data_plane.envoy.type.v3 as envoy_type
from betterproto2 import Message

from tollgate_core.admission import ADMISSION_KEY, METADATA_NAMESPACE
from tollgate_core.formats import FORMATS
from tollgate_operator.envoy.access_log import access_log
from tollgate_operator.envoy.addresses import from_ads, pack, socket_address
from tollgate_operator.envoy.local_replies import local_replies
from tollgate_operator.envoy.settings import (
    GATE,
    GATE_CLUSTER,
    GATEWAY_SECRET,
    LISTENER,
    METER,
    METER_CLUSTER,
    RESPONSE,
    ROUTES,
    GatewaySettings,
)

_SEND, _SKIP = ext_proc.ProcessingModeHeaderSendMode.SEND, ext_proc.ProcessingModeHeaderSendMode.SKIP
_BODY = ext_proc.ProcessingModeBodySendMode
#: A burst waits for its turn at the gate, behind calls to models that take seconds themselves; Envoy would refuse it
#: with 504. A dead gate is noticed at once by its connection, a hanging one by the keepalive (13 s).
_GATE_SECONDS = 10
#: The admission record, evaluated once for each response instead of forwarded with every chunk.
ADMISSION_ATTRIBUTE = f"metadata.filter_metadata['{METADATA_NAMESPACE}']['{ADMISSION_KEY}']"


def gateway_listener(settings: GatewaySettings, response_headers: list[str]) -> listener.Listener:
    """``response_headers`` are those that metrics read; the access log carries them for the witness."""
    manager = hcm.HttpConnectionManager(
        stat_prefix="gateway",
        rds=hcm.Rds(route_config_name=ROUTES, config_source=from_ads()),
        http_filters=[
            _filter(RESPONSE, _response_script()),
            _filter(GATE, _gate()),
            _filter(METER, _meter(settings)),
            *_decompressors(),
            _filter("envoy.filters.http.router", router.Router(suppress_envoy_headers=True)),
        ],
        access_log=[access_log(settings.access_log_path, response_headers)],
        # Else a client's own x-request-id and x-forwarded-for would be believed.
        use_remote_address=True,
        skip_xff_append=True,
        # Nobody is trusted for being near: Envoy's own x-request-id is the id that requests are billed by.
        internal_address_config=hcm.HttpConnectionManagerInternalAddressConfig(),
        normalize_path=True,
        merge_slashes=True,
        path_with_escaped_slashes_action=hcm.HttpConnectionManagerPathWithEscapedSlashesAction.REJECT_REQUEST,
        request_headers_timeout=timedelta(seconds=30),
        stream_idle_timeout=timedelta(seconds=300),
        local_reply_config=local_replies(),
        server_header_transformation=hcm.HttpConnectionManagerServerHeaderTransformation.PASS_THROUGH,
        common_http_protocol_options=core.HttpProtocolOptions(
            headers_with_underscores_action=core.HttpProtocolOptionsHeadersWithUnderscoresAction.ALLOW,
            # Shorter than a hold, so that no request outlives its own.
            max_stream_duration=timedelta(seconds=settings.max_stream_seconds),
        ),
    )
    chain = listener.FilterChain(
        filters=[listener.Filter(name="envoy.filters.network.http_connection_manager", typed_config=pack(manager))]
    )
    if settings.tls:
        chain.transport_socket = _downstream_tls()
    return listener.Listener(
        name=LISTENER,
        address=socket_address(settings.listen_address, settings.listen_port),
        filter_chains=[chain],
        per_connection_buffer_limit_bytes=1 << 20,
    )


def _downstream_tls() -> core.TransportSocket:
    certificate = tls.SdsSecretConfig(name=GATEWAY_SECRET, sds_config=from_ads())
    minimum = tls.TlsParameters(tls_minimum_protocol_version=tls.TlsParametersTlsProtocol.TLSv1_2)
    context = tls.CommonTlsContext(
        tls_params=minimum, tls_certificate_sds_secret_configs=[certificate], alpn_protocols=["h2", "http/1.1"]
    )
    config = tls.DownstreamTlsContext(common_tls_context=context)
    return core.TransportSocket(name="envoy.transport_sockets.tls", typed_config=pack(config))


def _filter(name: str, config: Message) -> hcm.HttpFilter:
    return hcm.HttpFilter(name=name, typed_config=pack(config))


def _script(name: str) -> str:
    return (files("tollgate_operator.envoy") / "lua" / f"{name}.lua").read_text()


def _grpc(cluster: str) -> core.GrpcService:
    return core.GrpcService(envoy_grpc=core.GrpcServiceEnvoyGrpc(cluster_name=cluster))


def _gate() -> ext_proc.ExternalProcessor:
    namespaces = ext_proc.MetadataOptionsMetadataNamespaces(untyped=[METADATA_NAMESPACE])
    return ext_proc.ExternalProcessor(
        grpc_service=_grpc(GATE_CLUSTER),
        failure_mode_allow=False,
        status_on_error=envoy_type.HttpStatus(code=envoy_type.StatusCode.ServiceUnavailable),
        message_timeout=timedelta(seconds=_GATE_SECONDS),
        processing_mode=ext_proc.ProcessingMode(
            request_header_mode=_SEND,
            request_body_mode=_BODY.BUFFERED,
            response_header_mode=_SKIP,
            response_body_mode=_BODY.NONE,
            request_trailer_mode=_SKIP,
            response_trailer_mode=_SKIP,
        ),
        request_attributes=["xds.route_name", "source.address"],
        route_cache_action=ext_proc.ExternalProcessorRouteCacheAction.RETAIN,
        metadata_options=ext_proc.MetadataOptions(receiving_namespaces=namespaces),
        mutation_rules=rules.HeaderMutationRules(disallow_is_error=True, allow_all_routing=True),
        # The gate says how long a body is that it changed; Envoy refuses a mismatch.
        allow_content_length_header=True,
    )


def _meter(settings: GatewaySettings) -> ext_proc.ExternalProcessor:
    return ext_proc.ExternalProcessor(
        grpc_service=_grpc(METER_CLUSTER),
        observability_mode=True,
        failure_mode_allow=True,
        deferred_close_timeout=timedelta(seconds=settings.deferred_close_seconds),
        processing_mode=ext_proc.ProcessingMode(
            request_header_mode=_SKIP,
            request_body_mode=_BODY.NONE,
            response_header_mode=_SEND,
            response_body_mode=_BODY.STREAMED,
            request_trailer_mode=_SKIP,
            response_trailer_mode=_SEND,
        ),
        response_attributes=[ADMISSION_ATTRIBUTE],
    )


def _response_script() -> lua.Lua:
    """One source for each format; its locals stay apart from strip's."""
    capture, strip, response = (_script(name) for name in ("capture", "strip", "response"))
    sources = {
        name: f"do\nlocal FORMAT = {name!r}\n{capture}end\ndo\n{strip}end\n{response}" for name in sorted(FORMATS)
    }
    return lua.Lua(source_codes={name: core.DataSource(inline_string=text) for name, text in sources.items()})


def _decompressors() -> list[hcm.HttpFilter]:
    """We ask upstreams for identity; one that compresses anyway is decoded here, so that every witness can read it."""
    libraries: list[tuple[str, Message]] = [
        ("gzip", gzip.Gzip(max_inflate_ratio=200)),
        ("brotli", brotli.Brotli()),
        ("zstd", zstd.Zstd()),
    ]
    return [
        _filter(
            f"envoy.filters.http.decompressor.{name}",
            decompressor.Decompressor(
                decompressor_library=core.TypedExtensionConfig(name=name, typed_config=pack(library)),
                request_direction_config=decompressor.DecompressorRequestDirectionConfig(
                    advertise_accept_encoding=False,
                    common_config=decompressor.DecompressorCommonDirectionConfig(
                        enabled=core.RuntimeFeatureFlag(default_value=False, runtime_key=f"tollgate.{name}.request")
                    ),
                ),
            ),
        )
        for name, library in libraries
    ]
