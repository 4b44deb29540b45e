"""What every resource has: strict fields, Kubernetes names, texts for quantities and durations."""

from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from tollgate_core.quantity import DURATION_PATTERN, QUANTITY_PATTERN, parse_quantity

API_VERSION: Literal["tollgate.dev/v1alpha1"] = "tollgate.dev/v1alpha1"

#: A DNS label, as Kubernetes wants object names.
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]
Quantity = Annotated[str, StringConstraints(pattern=QUANTITY_PATTERN)]
NonNegativeQuantity = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,30}(\.[0-9]{1,18})?(k|M|G|T|Ki|Mi|Gi|Ti)?$")]


def _more_than_zero(text: str) -> str:
    if parse_quantity(text) <= 0:
        raise ValueError("must be more than zero")
    return text


PositiveQuantity = Annotated[NonNegativeQuantity, AfterValidator(_more_than_zero)]
Duration = Annotated[str, StringConstraints(pattern=DURATION_PATTERN)]
HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$", max_length=128)]
CelSource = Annotated[str, StringConstraints(min_length=1, max_length=4096)]


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


class Metadata(BaseModel):
    """The part of Kubernetes' ObjectMeta that Tollgate reads; the rest is kept by Kubernetes and ignored here."""

    model_config = ConfigDict(extra="ignore", frozen=True, alias_generator=to_camel, populate_by_name=True)

    name: Name
    namespace: Name = "default"
    generation: int = 1
    uid: str = ""
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)


SpecT = TypeVar("SpecT", bound=Model)


class Resource(Model, Generic[SpecT]):
    """One object of a kind of ours; ``status`` is written by the operator and not read back."""

    api_version: Literal["tollgate.dev/v1alpha1"] = API_VERSION
    metadata: Metadata
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
    """One key of a Secret in the same namespace."""

    name: Annotated[Name, Field(description="Name of the Secret.")]
    key: Annotated[str, Field(min_length=1, max_length=253, description="Key within the Secret's data.")]


class EndpointSelector(Model):
    """Endpoints of one API; without ``endpoints`` all of them."""

    api: Annotated[Name, Field(description="Name of the API.")]
    endpoints: Annotated[
        list[Name] | None, Field(min_length=1, description="Names of its endpoints; all if absent.")
    ] = None
