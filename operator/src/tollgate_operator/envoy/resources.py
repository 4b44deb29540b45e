"""All of Envoy's resources of one state of the world, and the check that every reference resolves."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from betterproto2 import Message

from tollgate_core.expressions.source import response_headers
from tollgate_core.manifests import API, BillableMetric
from tollgate_operator.envoy.clusters import api_cluster, api_endpoints, processor_clusters
from tollgate_operator.envoy.encoding import EncodedApi, encode_apis, encode_routes
from tollgate_operator.envoy.listener import gateway_listener
from tollgate_operator.envoy.routes import route_configuration
from tollgate_operator.envoy.secrets import api_secrets, gateway_secrets
from tollgate_operator.envoy.settings import ROUTES as ROUTES_NAME
from tollgate_operator.envoy.settings import GatewaySettings, cluster_name, secret_name
from tollgate_operator.reconcile.index import Index, secret_references

CLUSTER = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
ENDPOINTS = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
LISTENER = "type.googleapis.com/envoy.config.listener.v3.Listener"
ROUTES = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
SECRET = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"  # noqa: S105

#: Make before break: what others refer to goes first.
ORDER = (SECRET, CLUSTER, ENDPOINTS, LISTENER, ROUTES)


@dataclass(frozen=True)
class Resources:
    """Serialized resources by type URL and name; ``parts`` are those of each API, for the next time."""

    by_type: Mapping[str, Mapping[str, bytes]]
    parts: Mapping[str, EncodedApi] = field(default_factory=dict[str, EncodedApi], compare=False, repr=False)


@dataclass(frozen=True)
class Inputs:
    """All that Envoy's configuration is made of. Equal inputs give equal resources; most edits change none of it."""

    apis: tuple[API, ...]
    secrets: tuple[str | None, ...]
    response_headers: tuple[str, ...]


def gateway_inputs(index: Index) -> Inputs:
    """What of the resources concerns Envoy."""
    apis = tuple(index.of_kind(API))
    headers = {
        name
        for metric in index.of_kind(BillableMetric)
        for usage in metric.spec.usage
        for source in (usage.quantity, usage.when)
        for name in response_headers(source)[0]
    }
    secrets = tuple(index.secret_value(api, reference) for api in apis for _, reference in secret_references(api))
    return Inputs(apis, secrets, tuple(sorted(headers)))


def build_messages(index: Index, settings: GatewaySettings) -> dict[str, dict[str, Message]]:
    """Every resource as a message, by type URL and name."""
    inputs = gateway_inputs(index)
    apis = inputs.apis
    routes = route_configuration(index)
    listener = gateway_listener(settings, list(inputs.response_headers))
    clusters = [*processor_clusters(settings), *(api_cluster(api, settings) for api in apis)]
    assignments = [assignment for api in apis if (assignment := api_endpoints(api, settings))]
    secrets = [*gateway_secrets(settings), *(secret for api in apis for secret in api_secrets(api, index))]
    return {
        SECRET: {secret.name: secret for secret in secrets},
        CLUSTER: {cluster.name: cluster for cluster in clusters},
        ENDPOINTS: {assignment.cluster_name: assignment for assignment in assignments},
        LISTENER: {listener.name: listener},
        ROUTES: {routes.name: routes},
    }


def build_resources(index: Index, settings: GatewaySettings, last: Resources | None = None) -> Resources:
    """The resources, checked and serialized; what is as it was in ``last`` is not made again. Raises ValueError for a
    reference that does not resolve: Envoy would accept it and answer 503."""
    parts = encode_apis(index, settings, last.parts if last else {})
    listener = gateway_listener(settings, list(gateway_inputs(index).response_headers))
    groups = {
        SECRET: {secret.name: bytes(secret) for secret in gateway_secrets(settings)},
        CLUSTER: {cluster.name: bytes(cluster) for cluster in processor_clusters(settings)},
        ENDPOINTS: dict[str, bytes](),
        LISTENER: {listener.name: bytes(listener)},
        ROUTES: {ROUTES_NAME: encode_routes(index, parts)},
    }
    for name, part in parts.items():
        groups[CLUSTER][cluster_name(name)] = part.cluster
        groups[SECRET].update(part.secrets)
        if part.endpoints is not None:
            groups[ENDPOINTS][cluster_name(name)] = part.endpoints
    check_references(index, groups)
    return Resources(groups, parts)


def check_references(index: Index, groups: Mapping[str, Mapping[str, object]]) -> None:
    """Each API has its cluster, and each credential its secret."""
    for api in index.of_kind(API):
        if cluster_name(api.qualified_name) not in groups[CLUSTER]:
            raise ValueError(f"API {api.qualified_name} has no cluster")
        if api.spec.credential and secret_name(api.qualified_name, "credential") not in groups[SECRET]:
            raise ValueError(f"API {api.qualified_name}: spec.credential.secretKeyRef names no known secret")
