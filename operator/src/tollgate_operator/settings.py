"""Settings of the operator, from TOLLGATE_* environment variables."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tollgate_operator.envoy import GatewaySettings


@dataclass(frozen=True)
class Settings:
    """``ads_address`` is where Envoy finds us, ``status_file`` where statuses are written."""

    manifests: Path
    redis_url: str
    ads_address: str
    status_file: Path
    gateway: GatewaySettings

    @staticmethod
    def from_environment(environment: Mapping[str, str] = os.environ) -> "Settings":
        """Raises KeyError with the name of a variable that is missing."""
        return Settings(
            manifests=Path(environment["TOLLGATE_MANIFESTS"]),
            redis_url=environment["TOLLGATE_REDIS_URL"],
            ads_address=environment["TOLLGATE_ADS_ADDRESS"],
            status_file=Path(environment["TOLLGATE_STATUS_FILE"]),
            gateway=gateway_settings(environment),
        )


def gateway_settings(environment: Mapping[str, str]) -> GatewaySettings:
    """Of the gateway that is configured. Raises KeyError with the name of a variable that is missing."""
    return GatewaySettings(
        listen_address=environment.get("TOLLGATE_GATEWAY_ADDRESS", "127.0.0.1"),
        listen_port=int(environment["TOLLGATE_GATEWAY_PORT"]),
        gates=tuple(environment["TOLLGATE_GATES"].split(",")),
        meters=tuple(environment["TOLLGATE_METERS"].split(",")),
        access_log_path=environment["TOLLGATE_ACCESS_LOG"],
        host_aliases=dict(
            pair.split("=", 1) for pair in environment.get("TOLLGATE_HOST_ALIASES", "").split(",") if pair
        ),
        ca_bundle=environment.get("TOLLGATE_CA_BUNDLE", GatewaySettings.ca_bundle),
    )
