"""The kinds that the operator reads, as the API server names them."""

from dataclasses import dataclass

from tollgate_core.manifests.crds import CUSTOM_KINDS, GROUP, VERSION


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


#: Ours: their status is ours to write.
OWN = tuple(Kind(GROUP, VERSION, kind.name, kind.plural) for kind in CUSTOM_KINDS)
SECRET = Kind("", "v1", "Secret", "secrets")
SERVICE = Kind("", "v1", "Service", "services")
REFERENCE_GRANT = Kind("gateway.networking.k8s.io", "v1beta1", "ReferenceGrant", "referencegrants")
#: What ours refer to.
REFERRED = (SECRET, SERVICE, REFERENCE_GRANT)

NAMESPACE = Kind("", "v1", "Namespace", "namespaces", namespaced=False)
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
