"""Routes: one for each endpoint, named after it; whatever else is below a prefix ends at the gate."""

from collections.abc import Iterator
from datetime import timedelta
from typing import NamedTuple
from urllib.parse import urlsplit

import envoy_data_plane.envoy.config.core.v3 as core
import envoy_data_plane.envoy.config.route.v3 as route
import envoy_data_plane.envoy.extensions.filters.http.ext_proc.v3 as ext_proc
import envoy_data_plane.envoy.extensions.filters.http.lua.v3 as lua
import envoy_data_plane.envoy.type.matcher.v3 as matcher
from envoy_data_plane.google.protobuf import Any

from tollgate_core.admission import METADATA_NAMESPACE
from tollgate_core.formats import FORMATS
from tollgate_core.manifests import API, Endpoint
from tollgate_core.manifests.api import PATH_PARAMETER
from tollgate_core.quantity import parse_duration_ms, parse_quantity
from tollgate_operator.envoy.addresses import pack
from tollgate_operator.envoy.settings import METER, RESPONSE, ROUTES, cluster_name
from tollgate_operator.reconcile.index import Index, endpoint_id
from tollgate_operator.reconcile.routes import full_path, path_pattern


class RouteOf(NamedTuple):
    """What a route is made of: an endpoint of an API, the rest below an API's prefix, or the rest of all."""

    api: API | None = None
    endpoint: Endpoint | None = None


def route_configuration(index: Index) -> route.RouteConfiguration:
    """A virtual host for each host name."""
    configuration = route_configuration_base()
    for host, routes in virtual_hosts(list(index.of_kind(API))):
        host.routes = [make_route(of) for of in routes]
        configuration.virtual_hosts.append(host)
    return configuration


def route_configuration_base() -> route.RouteConfiguration:
    """Without its virtual hosts."""
    return route.RouteConfiguration(
        name=ROUTES,
        ignore_port_in_host_matching=True,
        # The customers' addresses are no business of an upstream.
        request_headers_to_remove=["x-forwarded-for", "x-envoy-external-address"],
        response_headers_to_add=[_from_gate(header, key) for header, key in _RESPONSE_HEADERS.items()],
    )


def virtual_hosts(apis: list[API]) -> Iterator[tuple[route.VirtualHost, list[RouteOf]]]:
    """Each host without its routes, and what these are made of, in order.

    Envoy looks into one virtual host alone, the most specific that fits. So each has the routes of all that fit a host
    of that name, those of a more specific one first: ``llm.example.com``, ``*.example.com``, ``*``.
    """
    for name in sorted({host for api in apis for host in api.spec.hostnames} | {"*"}):
        ranks = [(_rank(api, name), api) for api in apis]
        here = [(rank, api) for rank, api in ranks if rank is not None]
        yield route.VirtualHost(name=f"host/{name}", domains=[name]), _ordered(here)


def _rank(api: API, host: str) -> int | None:
    """How closely an API's names fit those that ``host`` means: less is closer, None is not at all."""
    fitting = [name for name in api.spec.hostnames if name == host or (name[0] == "*" and host.endswith(name[1:]))]
    return min((-len(name) for name in fitting), default=None)


def _ordered(apis: list[tuple[int, API]]) -> list[RouteOf]:
    pairs = [(rank, api, endpoint) for rank, api in apis for endpoint in api.spec.endpoints]
    pairs.sort(key=lambda pair: (pair[0], _specificity(full_path(*pair[1:]))))
    prefixes = sorted(apis, key=lambda of: (-len(of[1].spec.path_prefix), of[0], of[1].qualified_name))
    refused = [RouteOf(api) for _, api in prefixes if api.spec.path_prefix != "/"]
    return [*(RouteOf(api, endpoint) for _, api, endpoint in pairs), *refused, RouteOf()]


def routes_of(api: API) -> list[RouteOf]:
    """All that one API has."""
    return [*(RouteOf(api, endpoint) for endpoint in api.spec.endpoints), RouteOf(api)]


def make_route(of: RouteOf) -> route.Route:
    """One route."""
    if of.api is None:
        return _refused("/", "/")
    if of.endpoint is None:
        return _refused(f"{of.api.qualified_name}/", of.api.spec.path_prefix)
    return _endpoint_route(of.api, of.endpoint)


def _specificity(path: str) -> tuple[int, int, str]:
    """Fewer parameters first, then longer, then by text: a literal path wins over a parameter."""
    return (len(PATH_PARAMETER.findall(path)), -len(path), path)


def _endpoint_route(api: API, endpoint: Endpoint) -> route.Route:
    upstream = api.spec.upstream
    regex = path_pattern(full_path(api, endpoint))
    method = route.HeaderMatcher(name=":method", string_match=matcher.StringMatcher(exact=endpoint.method))
    action = route.RouteAction(
        cluster=cluster_name(api.qualified_name),
        timeout=timedelta(0),
        idle_timeout=timedelta(milliseconds=parse_duration_ms(upstream.timeout)),
        host_rewrite_literal=urlsplit(upstream.address(api.metadata.namespace)).netloc,
    )
    rewrite = _rewrite(api)
    if rewrite:
        action.regex_rewrite = rewrite
    if upstream.retries.attempts:
        action.retry_policy = route.RetryPolicy(
            retry_on=upstream.retries.retry_on, num_retries=upstream.retries.attempts
        )
    return route.Route(
        name=endpoint_id(api.qualified_name, endpoint.name),
        match=route.RouteMatch(safe_regex=matcher.RegexMatcher(regex=regex), headers=[method]),
        route=action,
        request_headers_to_add=[_overwrite("accept-encoding", "identity")] if endpoint.format else [],
        request_body_buffer_limit=int(parse_quantity(api.spec.max_request_bytes)),
        typed_per_filter_config=_filters(api, endpoint),
    )


def _rewrite(api: API) -> matcher.RegexMatchAndSubstitute | None:
    prefix, base = api.spec.path_prefix.rstrip("/"), _base_path(api)
    if prefix == base:
        return None
    pattern = matcher.RegexMatcher(regex=f"^{path_pattern(prefix)}")
    return matcher.RegexMatchAndSubstitute(pattern=pattern, substitution=base.replace("\\", "\\\\"))


def _base_path(api: API) -> str:
    return urlsplit(api.spec.upstream.address(api.metadata.namespace)).path.rstrip("/")


def _filters(api: API, endpoint: Endpoint) -> dict[str, Any]:
    fmt = FORMATS[endpoint.format] if endpoint.format else None
    response = lua.LuaPerRoute(name=fmt.name) if fmt else lua.LuaPerRoute(disabled=True)
    filters: dict[str, Any] = {RESPONSE: pack(response)}
    if api.spec.metering.mode == "native":
        filters[METER] = pack(ext_proc.ExtProcPerRoute(disabled=True))
    return filters


#: Response header → key of the gate's dynamic metadata; absent where the gate set none.
_RESPONSE_HEADERS = {
    "ratelimit-policy": "ratelimit_policy",
    "ratelimit": "ratelimit",
    "x-tollgate-quota": "x_tollgate_quota",
    "x-tollgate-credit": "x_tollgate_credit",
    "x-tollgate-output-clamped": "x_tollgate_output_clamped",
    "x-billing-request-id": "id",
}


def _from_gate(header: str, key: str) -> core.HeaderValueOption:
    return _overwrite(header, f"%DYNAMIC_METADATA({METADATA_NAMESPACE}:{key})%")


def _overwrite(name: str, value: str) -> core.HeaderValueOption:
    return core.HeaderValueOption(
        header=core.HeaderValue(key=name, value=value),
        append_action=core.HeaderValueOptionHeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD,
    )


def _refused(name: str, prefix: str) -> route.Route:
    """The gate answers first (401, then 404 in the API's own shape); the direct response is the safety net."""
    match = route.RouteMatch(prefix="/") if prefix == "/" else route.RouteMatch(path_separated_prefix=prefix)
    return route.Route(
        name=name,
        match=match,
        direct_response=route.DirectResponseAction(status=404),
        typed_per_filter_config={
            METER: pack(ext_proc.ExtProcPerRoute(disabled=True)),
            RESPONSE: pack(lua.LuaPerRoute(disabled=True)),
        },
    )
