"""What every resource has: strict fields, Kubernetes names, texts for quantities and durations."""

import re
from datetime import datetime
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    StringConstraints,
)
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema

from tollgate_core.manifests.rules import ListSet, Matches, Rule, add_rules
from tollgate_core.quantity import DURATION_PATTERN, QUANTITY_PATTERN

API_VERSION: Literal["tollgate.dev/v1alpha1"] = "tollgate.dev/v1alpha1"

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
LABEL_PATTERN, NAME_PATTERN = rf"^{_LABEL}$", rf"^{_LABEL}(\.{_LABEL})*$"
NON_NEGATIVE_PATTERN = r"^[0-9]{1,30}(\.[0-9]{1,18})?(k|M|G|T|Ki|Mi|Gi|Ti)?$"
#: A DNS label, as Kubernetes wants names of Services and namespaces. Names of our own resources are labels too.
Name = Annotated[str, StringConstraints(pattern=LABEL_PATTERN, max_length=63)]
#: A DNS name, as Kubernetes wants names of most other objects, for example Secrets.
ObjectName = Annotated[str, StringConstraints(pattern=NAME_PATTERN, max_length=253)]
Names = Annotated[list[Name], Field(min_length=1, max_length=128), ListSet()]
Quantity = Annotated[str, StringConstraints(pattern=QUANTITY_PATTERN, max_length=64)]
NonNegativeQuantity = Annotated[str, StringConstraints(pattern=NON_NEGATIVE_PATTERN, max_length=64)]
PositiveQuantity = Annotated[NonNegativeQuantity, Matches("[1-9]", "must be more than zero")]
Duration = Annotated[str, StringConstraints(pattern=DURATION_PATTERN, max_length=32)]
HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$", max_length=128)]
CelSource = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
_HOST = r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9]([-A-Za-z0-9._]*[A-Za-z0-9])?)"
#: A URL whose address is not for the public, or not yet https.
HttpUrl = Annotated[
    str,
    StringConstraints(max_length=2048),
    Matches(
        rf"^https?://([^/?#]*@)?{_HOST}(:[0-9]{{1,5}})?([/?#][!-~]*)?$",
        "must be an http:// or https:// URL with a host",
    ),
    Matches(r"^https?://[^/?#]*@", "must not hold a user or password", never=True),
    Matches(
        r"^https?://[^/?#]*:(0+|6553[6-9]|655[4-9][0-9]|65[6-9][0-9][0-9]|6[6-9][0-9]{3}|[7-9][0-9]{4})([/?#]|$)",
        "has a port out of range",
        never=True,
    ),
]
HttpsUrl = Annotated[HttpUrl, Matches("^https:", "must be an https:// URL")]


#: A name of the IANA time zone database.
TimeZone = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_+/-]{0,63}$", max_length=64)]
_RFC3339 = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})$"


def _rfc3339(value: object) -> object:
    # a YAML file's timestamp is a datetime already
    if not isinstance(value, datetime) and not (isinstance(value, str) and re.fullmatch(_RFC3339, value)):
        raise ValueError("must be a time in RFC 3339 with a zone, for example 2026-11-01T00:00:00Z")
    return value


#: A moment, as a text with a zone.
Timestamp = Annotated[
    AwareDatetime,
    BeforeValidator(_rfc3339),
    Field(strict=False, json_schema_extra={"pattern": _RFC3339}),
]


class Model(BaseModel):
    """Strict: unknown fields and implicit conversions are refused; frozen; camelCase in YAML."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        alias_generator=to_camel,
        populate_by_name=True,
        serialize_by_alias=True,
    )

    #: What the validators below say, in CEL, for the API server.
    rules: ClassVar[tuple[Rule, ...]] = ()

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Add the rules."""
        reference = handler(schema)
        resolved = handler.resolve_ref_schema(reference)
        resolved.update(add_rules(resolved, *cls.rules))
        return reference


class Metadata(BaseModel):
    """The part of Kubernetes' ObjectMeta that Tollgate reads; the rest is kept by Kubernetes and ignored here."""

    model_config = ConfigDict(extra="ignore", frozen=True, alias_generator=to_camel, populate_by_name=True)

    name: ObjectName
    namespace: Name = "default"
    generation: int = 1
    uid: str = ""
    resource_version: str = ""
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    finalizers: tuple[str, ...] = ()
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)


class ResourceMetadata(Metadata):
    """Names of our own resources are DNS labels: they are parts of names in Envoy, Redis and the ledger."""

    name: Name


SpecT = TypeVar("SpecT", bound=Model)


class Resource(Model, Generic[SpecT]):
    """One object of a kind of ours; ``status`` is written by the operator and not read back."""

    api_version: Literal["tollgate.dev/v1alpha1"] = API_VERSION
    metadata: ResourceMetadata
    spec: SpecT
    status: dict[str, Any] | None = None

    @property
    def qualified_name(self) -> str:
        """``name`` in the default namespace, else ``namespace/name``."""
        return qualified_name(self.metadata.namespace, self.metadata.name)


def qualified_name(namespace: str, name: str) -> str:
    """How components name a resource to each other: ``name``, or ``namespace/name`` outside the default namespace."""
    return name if namespace == "default" else f"{namespace}/{name}"


class SecretKeyRef(Model):
    """One key of a Secret."""

    name: Annotated[ObjectName, Field(description="Name of the Secret.")]
    namespace: Annotated[
        Name | None,
        Field(
            description="Namespace of the Secret, where it is another than the resource's own; a ReferenceGrant there "
            "must allow it."
        ),
    ] = None
    key: Annotated[str, Field(min_length=1, max_length=253, description="Key within the Secret's data.")]


class EndpointSelector(Model):
    """Endpoints of one API; without ``endpoints`` all of them."""

    api: Annotated[Name, Field(description="Name of the API.")]
    namespace: Annotated[
        Name | None,
        Field(
            description="Namespace of the API, where it is another than the resource's own; a ReferenceGrant there "
            "must allow it."
        ),
    ] = None
    endpoints: Annotated[Names | None, Field(description="Names of its endpoints; all if absent.")] = None
