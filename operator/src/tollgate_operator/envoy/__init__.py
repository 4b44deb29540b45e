"""Pure: effective resources to Envoy's configuration (listeners, routes, clusters, endpoints, secrets)."""

from tollgate_operator.envoy.resources import Inputs, Resources, build_resources, check_references, gateway_inputs
from tollgate_operator.envoy.settings import GatewaySettings

__all__ = ["GatewaySettings", "Inputs", "Resources", "build_resources", "check_references", "gateway_inputs"]
