"""The kinds that the operator reads, as the API server names them."""

from dataclasses import dataclass

from tollgate_core.manifests.crds import GROUP, VERSION


@dataclass(frozen=True)
class Kind:
    """``group`` is empty for Kubernetes' core kinds."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """As in manifests."""
        return f"{self.group}/{self.version}" if self.group else self.version


def _own(kind: str, plural: str) -> Kind:
    return Kind(GROUP, VERSION, kind, plural)


#: Ours: their status is ours to write.
OWN = (
    _own("API", "apis"),
    _own("Product", "products"),
    _own("BillableMetric", "billablemetrics"),
    _own("Price", "prices"),
    _own("Subscription", "subscriptions"),
    _own("PaymentProvider", "paymentproviders"),
    _own("Portal", "portals"),
)
SECRET = Kind("", "v1", "Secret", "secrets")
SERVICE = Kind("", "v1", "Service", "services")
REFERENCE_GRANT = Kind("gateway.networking.k8s.io", "v1beta1", "ReferenceGrant", "referencegrants")
#: What ours refer to.
REFERRED = (SECRET, SERVICE, REFERENCE_GRANT)

CONFIG_MAP = Kind("", "v1", "ConfigMap", "configmaps")
EVENT = Kind("", "v1", "Event", "events")
LEASE = Kind("coordination.k8s.io", "v1", "Lease", "leases")
DEPLOYMENT = Kind("apps", "v1", "Deployment", "deployments")
WEBHOOK = Kind(
    "admissionregistration.k8s.io",
    "v1",
    "ValidatingWebhookConfiguration",
    "validatingwebhookconfigurations",
    namespaced=False,
)

BY_NAME = {kind.kind: kind for kind in (*OWN, *REFERRED)}
