"""Settings of the operator on Kubernetes, from TOLLGATE_* environment variables."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tollgate_operator.envoy import GatewaySettings
from tollgate_operator.settings import gateway_settings

#: The variables that name Secrets which an administrator brought.
_EXISTING = {
    "keys": "TOLLGATE_KEYS_SECRET",
    "operator": "TOLLGATE_OPERATOR_TLS_SECRET",
    "gateway": "TOLLGATE_GATEWAY_CLIENT_SECRET",
    "billing": "TOLLGATE_BILLING_TLS_SECRET",
}


@dataclass(frozen=True)
class Names:
    """What our own objects in the release's namespace are called; ``fullname`` is the Helm release's.

    ``existing`` names Secrets that an administrator brought, for ``keys``, ``operator``, ``gateway`` or ``billing``.
    """

    fullname: str
    namespace: str
    existing: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def lease(self) -> str:
        """Of the replica that leads."""
        return f"{self.fullname}-operator"

    @property
    def last_good(self) -> str:
        """The ConfigMap of specs that serve on after a broken edit."""
        return f"{self.fullname}-last-good"

    @property
    def webhook(self) -> str:
        """The ValidatingWebhookConfiguration."""
        return f"{self.fullname}-{self.namespace}"

    @property
    def keys(self) -> str:
        """The Secret with key pepper, admin token and Redis password."""
        return self.existing.get("keys") or f"{self.fullname}-keys"

    @property
    def payment_keys(self) -> str:
        """The Secret with the keys of payment providers, which billing mounts."""
        return f"{self.fullname}-payment-keys"

    @property
    def authority(self) -> str:
        """The Secret of the private certificate authority."""
        return f"{self.fullname}-ca"

    def tls(self, part: str) -> str:
        """The Secret with the certificate of ``operator``, ``gateway`` or ``billing``."""
        return self.existing.get(part) or f"{self.fullname}-{part}-tls"

    def dns_names(self, part: str) -> list[str]:
        """All names of a part's Service, and those of a forwarded port."""
        service = f"{self.fullname}-{part}"
        inside = f"{service}.{self.namespace}"
        return [service, inside, f"{inside}.svc", f"{inside}.svc.cluster.local", "localhost", "127.0.0.1"]


@dataclass(frozen=True)
class BootstrapSettings:
    """What is needed before anything else runs. ``deployments`` own what is generated, which goes when all of them are
    gone; the Secret of keys has no owner where they are to be retained."""

    names: Names
    deployments: tuple[str, ...] = ()
    retain_keys: bool = False

    @staticmethod
    def from_environment(environment: Mapping[str, str] = os.environ) -> "BootstrapSettings":
        """Raises KeyError with the name of a variable that is missing."""
        existing = {part: environment[name] for part, name in _EXISTING.items() if environment.get(name)}
        names = Names(environment["TOLLGATE_FULLNAME"], environment["TOLLGATE_NAMESPACE"], existing)
        return BootstrapSettings(
            names,
            _list(environment.get("TOLLGATE_DEPLOYMENTS", "")),
            retain_keys=environment.get("TOLLGATE_KEYS_RETAIN") == "true",
        )


@dataclass(frozen=True)
class ClusterSettings:
    """``watch_namespaces`` empty: all. Addresses are ``host:port``; ``webhook_listen`` empty: no webhook."""

    bootstrap: BootstrapSettings
    pod_name: str
    redis_url: str = field(repr=False)
    ads_listen: str
    health_listen: str
    gateway: GatewaySettings
    watch_namespaces: tuple[str, ...] = ()
    webhook_listen: str = ""
    billing_url: str = ""
    #: Of the gateway's own listener; plain HTTP if empty.
    gateway_tls_secret: str = ""

    @property
    def names(self) -> Names:
        """Of our own objects."""
        return self.bootstrap.names

    @staticmethod
    def from_environment(environment: Mapping[str, str] = os.environ) -> "ClusterSettings":
        """Raises KeyError with the name of a variable that is missing."""
        return ClusterSettings(
            bootstrap=BootstrapSettings.from_environment(environment),
            pod_name=environment["TOLLGATE_POD_NAME"],
            redis_url=environment["TOLLGATE_REDIS_URL"],
            ads_listen=environment["TOLLGATE_ADS_LISTEN"],
            health_listen=environment["TOLLGATE_HEALTH_LISTEN"],
            gateway=replace(
                gateway_settings(environment),
                tls=bool(environment.get("TOLLGATE_GATEWAY_TLS_SECRET")),
                local_upstreams=False,
            ),
            watch_namespaces=_list(environment.get("TOLLGATE_WATCH_NAMESPACES", "")),
            webhook_listen=environment.get("TOLLGATE_WEBHOOK_LISTEN", ""),
            billing_url=environment.get("TOLLGATE_BILLING_URL", ""),
            gateway_tls_secret=environment.get("TOLLGATE_GATEWAY_TLS_SECRET", ""),
        )


def _list(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
