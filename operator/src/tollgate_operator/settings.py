"""Settings of the operator, from TOLLGATE_* environment variables."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tollgate_operator.envoy import GatewaySettings


@dataclass(frozen=True)
class Settings:
    """``ads_address`` is where Envoy finds us, ``status_file`` where statuses are written, ``payment_keys_dir`` where
    billing finds keys of payment providers."""

    manifests: Path
    redis_url: str
    ads_address: str
    status_file: Path
    gateway: GatewaySettings
    payment_keys_dir: Path | None = None

    @staticmethod
    def from_environment(environment: Mapping[str, str] = os.environ) -> "Settings":
        """Raises KeyError with the name of a variable that is missing."""
        keys_dir = environment.get("TOLLGATE_PAYMENT_KEYS_DIR", "")
        return Settings(
            manifests=Path(environment["TOLLGATE_MANIFESTS"]),
            redis_url=environment["TOLLGATE_REDIS_URL"],
            ads_address=environment["TOLLGATE_ADS_ADDRESS"],
            status_file=Path(environment["TOLLGATE_STATUS_FILE"]),
            gateway=gateway_settings(environment),
            payment_keys_dir=Path(keys_dir) if keys_dir else None,
        )


def gateway_settings(environment: Mapping[str, str]) -> GatewaySettings:
    """Of the gateway that is configured. Raises KeyError with the name of a variable that is missing, ValueError with
    that of one that cannot be used."""
    return GatewaySettings(
        listen_address=environment.get("TOLLGATE_GATEWAY_ADDRESS", "127.0.0.1"),
        listen_port=_port(environment, "TOLLGATE_GATEWAY_PORT"),
        gates=tuple(environment["TOLLGATE_GATES"].split(",")),
        meters=tuple(environment["TOLLGATE_METERS"].split(",")),
        access_log_path=environment["TOLLGATE_ACCESS_LOG"],
        host_aliases=dict(_pairs(environment, "TOLLGATE_HOST_ALIASES")),
        ca_bundle=environment.get("TOLLGATE_CA_BUNDLE", GatewaySettings.ca_bundle),
    )


def _port(environment: Mapping[str, str], name: str) -> int:
    text = environment[name]
    if not text.isdecimal() or not 0 < int(text) < 65_536:
        raise ValueError(f"{name}: {text!r} is not a port")
    return int(text)


def _pairs(environment: Mapping[str, str], name: str) -> Iterator[tuple[str, str]]:
    for pair in filter(None, environment.get(name, "").split(",")):
        key, separator, value = pair.partition("=")
        if not separator:
            raise ValueError(f"{name}: {pair!r} is not host=address")
        yield key, value
