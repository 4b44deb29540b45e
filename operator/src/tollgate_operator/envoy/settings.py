"""Where the gateway listens and where its neighbours are."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tollgate_operator.reconcile.upstreams import UpstreamPolicy


@dataclass(frozen=True)
class GatewaySettings:
    """``gates`` and ``meters`` are ``unix:/path`` or ``host:port`` of the ext_proc workers; ``ca_bundle`` a PEM file
    on Envoy's machine that holds the certificate authorities trusted for upstreams."""

    listen_address: str
    listen_port: int
    gates: tuple[str, ...]
    meters: tuple[str, ...]
    access_log_path: str
    ca_bundle: str = "/etc/ssl/certs/ca-certificates.crt"
    #: Envoy cuts a meter that lags more than this behind a finished response.
    deferred_close_seconds: int = 60
    max_stream_seconds: int = 3300
    #: Whether the gateway's own listener speaks TLS, with this certificate and key (PEM); it waits for them by SDS.
    tls: bool = False
    certificate: tuple[str, str] | None = field(default=None, repr=False)
    #: Host name → "ip:port", for upstreams that no name service knows, such as laptop mode's simulated ones.
    host_aliases: Mapping[str, str] = field(default_factory=dict[str, str])
    #: Whether APIs may name addresses of the gateway's own machine as upstreams.
    local_upstreams: bool = True

    @property
    def upstreams(self) -> UpstreamPolicy:
        """Which addresses APIs may name."""
        return UpstreamPolicy(self.local_upstreams, frozenset(self.host_aliases))


GATE_CLUSTER = "tollgate/gate"
METER_CLUSTER = "tollgate/meter"
ROUTES = "tollgate"
LISTENER = "tollgate"
USAGE_NAMESPACE = "tollgate.usage"

GATEWAY_SECRET = "gateway/tls"  # noqa: S105
GATE = "tollgate.gate"
METER = "tollgate.meter"
RESPONSE = "tollgate.response"


def cluster_name(api: str) -> str:
    """The cluster of an API's upstream."""
    return f"api/{api}"


def secret_name(api: str, what: str) -> str:
    """An SDS secret of an API: its credential or its certificate authorities."""
    return f"api/{api}/{what}"
