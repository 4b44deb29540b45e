"""Addresses and the small messages that every resource needs."""

import ipaddress

import envoy_data_plane.envoy.config.core.v3 as core
import envoy_data_plane.envoy.config.endpoint.v3 as endpoint
from betterproto2 import Message
from envoy_data_plane.google.protobuf import Any


def pack(message: Message) -> Any:
    """A message as protobuf's Any."""
    return Any.pack(message)


def socket_address(host: str, port: int) -> core.Address:
    """host:port."""
    return core.Address(socket_address=core.SocketAddress(address=host, port_value=port))


def parse_address(text: str) -> core.Address:
    """``unix:/path`` or ``host:port``."""
    if text.startswith("unix:"):
        return core.Address(pipe=core.Pipe(path=text.removeprefix("unix:")))
    host, _, port = text.rpartition(":")
    return socket_address(host.strip("[]"), int(port))


def is_ip(host: str) -> bool:
    """Whether a URL's host is an IP address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def load_assignment(cluster: str, addresses: list[core.Address]) -> endpoint.ClusterLoadAssignment:
    """All addresses in one locality."""
    return endpoint.ClusterLoadAssignment(
        cluster_name=cluster,
        endpoints=[
            endpoint.LocalityLbEndpoints(
                lb_endpoints=[endpoint.LbEndpoint(endpoint=endpoint.Endpoint(address=a)) for a in addresses]
            )
        ],
    )


def from_ads() -> core.ConfigSource:
    """A resource that comes over the same ADS stream."""
    return core.ConfigSource(ads=core.AggregatedConfigSource(), resource_api_version=core.ApiVersion.V3)
