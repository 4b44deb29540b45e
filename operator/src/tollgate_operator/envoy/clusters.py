"""Clusters: one for each API's upstream, and the two of the external processor."""

from datetime import timedelta
from urllib.parse import urlsplit

import envoy_data_plane.envoy.config.cluster.v3 as cluster
import envoy_data_plane.envoy.config.core.v3 as core
import envoy_data_plane.envoy.config.endpoint.v3 as endpoint
import envoy_data_plane.envoy.extensions.filters.http.credential_injector.v3 as injector
import envoy_data_plane.envoy.extensions.filters.http.upstream_codec.v3 as codec
import envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 as hcm
import envoy_data_plane.envoy.extensions.http.injected_credentials.generic.v3 as generic
import envoy_data_plane.envoy.extensions.transport_sockets.tls.v3 as tls
import envoy_data_plane.envoy.extensions.upstreams.http.v3 as http
import envoy_data_plane.envoy.type.matcher.v3 as matcher
from envoy_data_plane.google.protobuf import Any

from tollgate_core.manifests import API
from tollgate_core.quantity import parse_duration_ms
from tollgate_operator.envoy.addresses import from_ads, is_ip, load_assignment, pack, parse_address, socket_address
from tollgate_operator.envoy.settings import GATE_CLUSTER, METER_CLUSTER, GatewaySettings, cluster_name, secret_name

_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_MANY = 100_000


def host_and_port(url: str, settings: GatewaySettings) -> tuple[str, int, bool]:
    """(host, port, TLS) where an upstream's URL leads."""
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    host = parts.hostname or ""
    if host in settings.host_aliases:
        address, _, port = settings.host_aliases[host].rpartition(":")
        return address, int(port), secure
    return host, parts.port or (443 if secure else 80), secure


def api_cluster(api: API, settings: GatewaySettings) -> cluster.Cluster:
    """An IP address comes by EDS, so that it can change without a new cluster; a name is resolved by Envoy."""
    url = api.spec.upstream.address(api.metadata.namespace)
    host, port, secure = host_and_port(url, settings)
    name = cluster_name(api.qualified_name)
    result = cluster.Cluster(
        name=name,
        connect_timeout=timedelta(milliseconds=parse_duration_ms(api.spec.upstream.connect_timeout)),
        circuit_breakers=_breakers(),
        typed_extension_protocol_options={_HTTP_OPTIONS: pack(_upstream_http(api, secure))},
    )
    if is_ip(host):
        result.type = cluster.ClusterDiscoveryType.EDS
        result.eds_cluster_config = cluster.ClusterEdsClusterConfig(eds_config=from_ads())
    else:
        # Providers hide many machines behind a name: one logical host. A headless Service means every pod behind it.
        kinds = cluster.ClusterDiscoveryType
        result.type = kinds.STRICT_DNS if api.spec.upstream.service_ref else kinds.LOGICAL_DNS
        # IPv4 first, as clusters often have only that.
        result.dns_lookup_family = cluster.ClusterDnsLookupFamily.V4_PREFERRED
        result.load_assignment = load_assignment(name, [socket_address(host, port)])
    if secure:
        result.transport_socket = _transport(api, urlsplit(url).hostname or "", settings)
    return result


def api_endpoints(api: API, settings: GatewaySettings) -> endpoint.ClusterLoadAssignment | None:
    """The EDS resource of an upstream that is an IP address."""
    host, port, _ = host_and_port(api.spec.upstream.address(api.metadata.namespace), settings)
    if not is_ip(host):
        return None
    return load_assignment(cluster_name(api.qualified_name), [socket_address(host, port)])


def _upstream_http(api: API, secure: bool) -> http.HttpProtocolOptions:
    filters = [_filter("envoy.filters.http.upstream_codec", pack(codec.UpstreamCodec()))]
    if api.spec.credential:
        filters.insert(0, _filter("envoy.filters.http.credential_injector", pack(_injector(api))))
    options = http.HttpProtocolOptions(http_filters=filters)
    options.common_http_protocol_options = core.HttpProtocolOptions(idle_timeout=timedelta(seconds=60))
    if secure:
        options.auto_config = http.HttpProtocolOptionsAutoHttpConfig()
    else:
        options.explicit_http_config = http.HttpProtocolOptionsExplicitHttpConfig(
            http_protocol_options=core.Http1ProtocolOptions()
        )
    return options


def _filter(name: str, config: Any) -> hcm.HttpFilter:
    return hcm.HttpFilter(name=name, typed_config=config)


def _injector(api: API) -> injector.CredentialInjector:
    credential = api.spec.credential
    assert credential is not None  # noqa: S101
    return injector.CredentialInjector(
        overwrite=True,
        credential=core.TypedExtensionConfig(
            name="envoy.http.injected_credentials.generic",
            typed_config=pack(
                generic.Generic(
                    header=credential.header,
                    header_value_prefix=credential.prefix,
                    credential=tls.SdsSecretConfig(
                        name=secret_name(api.qualified_name, "credential"), sds_config=from_ads()
                    ),
                )
            ),
        ),
    )


def _transport(api: API, host: str, settings: GatewaySettings) -> core.TransportSocket:
    options = api.spec.upstream.tls
    name = options.server_name or host
    match = tls.SubjectAltNameMatcher(
        san_type=tls.SubjectAltNameMatcherSanType.IP_ADDRESS if is_ip(name) else tls.SubjectAltNameMatcherSanType.DNS,
        matcher=matcher.StringMatcher(exact=name, ignore_case=True),
    )
    validation = tls.CertificateValidationContext(match_typed_subject_alt_names=[match])
    context = tls.CommonTlsContext()
    if options.ca_secret_key_ref:
        context.combined_validation_context = tls.CommonTlsContextCombinedCertificateValidationContext(
            default_validation_context=validation,
            validation_context_sds_secret_config=tls.SdsSecretConfig(
                name=secret_name(api.qualified_name, "ca"), sds_config=from_ads()
            ),
        )
    else:
        validation.trusted_ca = core.DataSource(filename=settings.ca_bundle)
        context.validation_context = validation
    upstream = tls.UpstreamTlsContext(sni="" if is_ip(name) else name, common_tls_context=context)
    return core.TransportSocket(name="envoy.transport_sockets.tls", typed_config=pack(upstream))


def processor_clusters(settings: GatewaySettings) -> list[cluster.Cluster]:
    """Gate and meter are two clusters, so that one's circuit breaker never trips the other."""
    return [
        _processor_cluster(name, [parse_address(text) for text in addresses])
        for name, addresses in ((GATE_CLUSTER, settings.gates), (METER_CLUSTER, settings.meters))
    ]


def _processor_cluster(name: str, addresses: list[core.Address]) -> cluster.Cluster:
    keepalive = core.KeepaliveSettings(interval=timedelta(seconds=10), timeout=timedelta(seconds=3))
    http2 = core.Http2ProtocolOptions(
        connection_keepalive=keepalive,
        max_concurrent_streams=_MANY,
        initial_stream_window_size=1 << 20,
        initial_connection_window_size=1 << 24,
    )
    options = http.HttpProtocolOptions(
        explicit_http_config=http.HttpProtocolOptionsExplicitHttpConfig(http2_protocol_options=http2)
    )
    return cluster.Cluster(
        name=name,
        type=cluster.ClusterDiscoveryType.STATIC,
        connect_timeout=timedelta(seconds=1),
        load_assignment=load_assignment(name, addresses),
        circuit_breakers=_breakers(),
        typed_extension_protocol_options={_HTTP_OPTIONS: pack(options)},
    )


def _breakers() -> cluster.CircuitBreakers:
    thresholds = cluster.CircuitBreakersThresholds(
        max_connections=_MANY, max_pending_requests=_MANY, max_requests=_MANY, max_retries=64
    )
    return cluster.CircuitBreakers(thresholds=[thresholds])
