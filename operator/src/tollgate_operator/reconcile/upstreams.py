"""Which addresses an API may name as its upstream. Pure: nothing is resolved."""

import ipaddress
import socket
from collections.abc import Container, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from tollgate_core.errors import Problem
from tollgate_core.manifests import API

_CLUSTER_DOMAINS = ("", "cluster.local")


@dataclass(frozen=True)
class UpstreamPolicy:
    """``local``: whether the gateway's own machine and its link may be upstreams, as on a laptop. In a cluster the
    gateway's neighbours and a cloud's metadata service are there. ``aliases`` are host names that the administrator
    leads elsewhere."""

    local: bool = True
    aliases: frozenset[str] = frozenset()


def check_upstream(api: API, policy: UpstreamPolicy) -> Iterator[Problem]:
    """A name that only resolves to such an address is not found out: names change, and nobody is asked here."""
    url = api.spec.upstream.url
    host = _host(url) if url else ""
    if policy.local or not host or host in policy.aliases:
        return
    if _is_local(host):
        message = f"{host} is the gateway's own machine or its link, which no API may call"
        yield Problem("spec.upstream.url", message)
    elif "." not in host and ":" not in host:
        message = (
            f"{host} would be a Service beside the gateway; name it with its namespace, as in {host}.NAMESPACE.svc"
        )
        yield Problem("spec.upstream.url", message)


def service_in(url: str, namespaces: Container[str]) -> tuple[str, str] | None:
    """(namespace, name) where a URL's host is a Service's name in the cluster. Pods look ``name.namespace`` up there
    before anywhere else; ``namespaces`` are those that there are."""
    labels = _host(url).split(".")
    if len(labels) == 2 and labels[1] in namespaces:
        return labels[1], labels[0]
    for i, label in enumerate(labels):
        if label == "svc" and i >= 2 and ".".join(labels[i + 1 :]) in _CLUSTER_DOMAINS:
            return labels[i - 1], labels[i - 2]
    return None


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""  # said elsewhere


def _is_local(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    address = _address(host)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return address is not None and (address.is_loopback or address.is_link_local or address.is_unspecified)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    try:
        # As resolvers read it: 127.1, 0x7f000001 and 2130706433 are addresses as well.
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        return None
