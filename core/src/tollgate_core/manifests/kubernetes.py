"""Kubernetes' own objects that Tollgate reads beside Secrets. Unknown fields are ignored: they are others' business."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from tollgate_core.manifests.base import Metadata, qualified_name


class _Foreign(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, alias_generator=to_camel, populate_by_name=True)


class ServicePort(_Foreign):
    """One port of a Service."""

    name: str = ""
    port: int
    protocol: str = "TCP"


class ServiceSpec(_Foreign):
    """What Tollgate reads of a Service."""

    ports: tuple[ServicePort, ...] = ()


class Service(_Foreign):
    """A v1 Service, the upstream of an API."""

    api_version: Literal["v1"] = "v1"
    kind: Literal["Service"] = "Service"
    metadata: Metadata
    spec: ServiceSpec = ServiceSpec()

    @property
    def qualified_name(self) -> str:
        """As for every resource."""
        return qualified_name(self.metadata.namespace, self.metadata.name)


class GrantFrom(_Foreign):
    """Who may refer."""

    group: str = ""
    kind: str
    namespace: str


class GrantTo(_Foreign):
    """To what; to all of the kind without a name."""

    group: str = ""
    kind: str
    name: str | None = None


class ReferenceGrantSpec(_Foreign):
    """What a ReferenceGrant allows."""

    from_: tuple[GrantFrom, ...] = Field(default=(), alias="from")
    to: tuple[GrantTo, ...] = ()


class ReferenceGrant(_Foreign):
    """Gateway API's ReferenceGrant: the owner of a namespace allows references into it from another."""

    api_version: Literal["gateway.networking.k8s.io/v1beta1", "gateway.networking.k8s.io/v1"] = (
        "gateway.networking.k8s.io/v1beta1"
    )
    kind: Literal["ReferenceGrant"] = "ReferenceGrant"
    metadata: Metadata
    spec: ReferenceGrantSpec = ReferenceGrantSpec()

    @property
    def qualified_name(self) -> str:
        """As for every resource."""
        return qualified_name(self.metadata.namespace, self.metadata.name)

    def allows(self, group: str, kind: str, namespace: str, to_group: str, to_kind: str, to_name: str) -> bool:
        """Whether resources of (group, kind) in ``namespace`` may refer to this object of the grant's namespace."""
        return any(f.group == group and f.kind == kind and f.namespace == namespace for f in self.spec.from_) and any(
            t.group == to_group and t.kind == to_kind and t.name in {None, "", to_name} for t in self.spec.to
        )
