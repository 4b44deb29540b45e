"""Pure: effective resources to Envoy's configuration (listeners, routes, clusters, endpoints, secrets)."""

from tollgate_operator.envoy.resources import Resources, build_resources, check_references
from tollgate_operator.envoy.settings import GatewaySettings

__all__ = ["GatewaySettings", "Resources", "build_resources", "check_references"]
