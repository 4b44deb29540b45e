"""Serialized resources, API by API: an edit of one API costs the encoding of one, however many there are.

A repeated field of a protobuf message is its entries one after the other, each with the field's number and its length;
so a route configuration can be put together from routes that are encoded already.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tollgate_core.manifests import API
from tollgate_operator.envoy.clusters import api_cluster, api_endpoints
from tollgate_operator.envoy.routes import RouteOf, make_route, route_configuration_base, routes_of, virtual_hosts
from tollgate_operator.envoy.secrets import api_secrets
from tollgate_operator.envoy.settings import GatewaySettings
from tollgate_operator.reconcile.index import Index, secret_references

_VIRTUAL_HOSTS, _ROUTES = 2, 3  # numbers of fields of RouteConfiguration and VirtualHost


@dataclass(frozen=True)
class EncodedApi:
    """All that one API contributes; ``values`` are those of the secrets that it names."""

    api: API
    settings: GatewaySettings
    values: tuple[str | None, ...]
    cluster: bytes
    endpoints: bytes | None
    secrets: Mapping[str, bytes]
    routes: Mapping[str, bytes]


def encode_apis(index: Index, settings: GatewaySettings, last: Mapping[str, EncodedApi]) -> dict[str, EncodedApi]:
    """By name; what is as it was in ``last`` is taken from there."""
    encoded: dict[str, EncodedApi] = {}
    for api in index.of_kind(API):
        values = tuple(index.secret_value(api, reference) for _, reference in secret_references(api))
        before = last.get(api.qualified_name)
        if before is None or before.api is not api or (before.settings, before.values) != (settings, values):
            before = _encode(api, settings, index, values)
        encoded[api.qualified_name] = before
    return encoded


def _encode(api: API, settings: GatewaySettings, index: Index, values: tuple[str | None, ...]) -> EncodedApi:
    endpoints = api_endpoints(api, settings)
    return EncodedApi(
        api,
        settings,
        values,
        cluster=bytes(api_cluster(api, settings)),
        endpoints=bytes(endpoints) if endpoints else None,
        secrets={secret.name: bytes(secret) for secret in api_secrets(api, index)},
        routes={_name(of): bytes(make_route(of)) for of in routes_of(api)},
    )


def encode_routes(index: Index, encoded: Mapping[str, EncodedApi]) -> bytes:
    """The route configuration."""
    parts = [bytes(route_configuration_base())]
    for host, routes in virtual_hosts(list(index.of_kind(API))):
        found = (
            encoded[of.api.qualified_name].routes[_name(of)] if of.api is not None else bytes(make_route(of))
            for of in routes
        )
        parts.append(_field(_VIRTUAL_HOSTS, b"".join([bytes(host), *(_field(_ROUTES, route) for route in found)])))
    return b"".join(parts)


def _name(of: RouteOf) -> str:
    return of.endpoint.name if of.endpoint is not None else ""


def _field(number: int, content: bytes) -> bytes:
    """An entry of a repeated field of messages."""
    return bytes([*_varint(number << 3 | 2), *_varint(len(content))]) + content


def _varint(number: int) -> Iterable[int]:
    while number > 127:
        yield number & 127 | 128
        number >>= 7
    yield number
