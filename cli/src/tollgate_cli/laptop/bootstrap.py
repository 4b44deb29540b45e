"""Envoy's bootstrap: where its control plane is; all else comes over ADS."""

from typing import Any

#: Envoy's own back-off grows to 30 s, for which an edit after a restart of the control plane would wait.
_RECONNECT = {"retry_back_off": {"base_interval": "0.25s", "max_interval": "2s"}}


def envoy_bootstrap(ads_socket: str, admin_port: int, node: str) -> dict[str, Any]:
    """As Envoy's JSON configuration."""
    http2: dict[str, Any] = {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http2_protocol_options": {}},
        }
    }
    ads_cluster: dict[str, Any] = {
        "name": "tollgate/ads",
        "type": "STATIC",
        "connect_timeout": "1s",
        "typed_extension_protocol_options": http2,
        "load_assignment": {
            "cluster_name": "tollgate/ads",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": {"pipe": {"path": ads_socket}}}}]}],
        },
    }
    by_ads: dict[str, Any] = {"ads": {}, "resource_api_version": "V3"}
    return {
        "node": {"id": node, "cluster": "tollgate"},
        "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": admin_port}}},
        "static_resources": {"clusters": [ads_cluster]},
        "dynamic_resources": {
            "lds_config": by_ads,
            "cds_config": by_ads,
            "ads_config": {
                "api_type": "DELTA_GRPC",
                "transport_api_version": "V3",
                "grpc_services": [{"envoy_grpc": {"cluster_name": "tollgate/ads", "retry_policy": _RECONNECT}}],
                "set_node_on_first_message_only": True,
            },
        },
    }
