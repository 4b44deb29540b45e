"""What the operator writes into ``status``: schemas for the CRDs, and models to write with."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from tollgate_core.manifests.base import Model
from tollgate_core.manifests.rules import ListMap

_PREFIX = r"([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
_CONDITION_TYPE = rf"^{_PREFIX}[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$"


class StatusCondition(Model):
    """One aspect of the resource's state, after Kubernetes' metav1.Condition."""

    type: Annotated[
        str,
        Field(
            pattern=_CONDITION_TYPE,
            max_length=316,
            description="Accepted: the resource is right in itself. ResolvedRefs: what it refers to exists and may be "
            "used. Programmed: Envoy has confirmed it. Synced: its account at the payment provider can be used.",
        ),
    ]
    status: Annotated[Literal["True", "False", "Unknown"], Field(description="Whether it holds.")]
    reason: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
            min_length=1,
            max_length=1024,
            description="One word for machines.",
        ),
    ]
    message: Annotated[str, Field(max_length=32768, description="For people; names the field at fault.")]
    last_transition_time: Annotated[datetime, Field(strict=False, description="When the status last changed.")]
    observed_generation: Annotated[
        int | None, Field(ge=0, description="The metadata.generation that this was decided about.")
    ] = None


class ResourceStatus(Model):
    """State as the operator last saw it; written by the operator only."""

    observed_generation: Annotated[
        int | None, Field(ge=0, description="The metadata.generation that this status is about.")
    ] = None
    conditions: Annotated[
        list[StatusCondition], Field(max_length=16, description="The state, aspect by aspect."), ListMap("type")
    ] = []
    serving: Annotated[
        Literal["current", "previous", "none"] | None,
        Field(description="Which version serves: this one, the last one that was right, or none."),
    ] = None


class APIStatus(ResourceStatus):
    """State of an API."""

    endpoints: Annotated[int | None, Field(ge=0, description="How many endpoints it serves.")] = None


class ProductStatus(ResourceStatus):
    """State of a Product."""

    subscriptions: Annotated[
        int | None, Field(ge=0, description="How many Subscriptions refer to it; it cannot go while there are any.")
    ] = None


class SubscriptionStatus(ResourceStatus):
    """State of a Subscription."""

    secret_name: Annotated[str | None, Field(max_length=253, description="Secret that holds the API key now.")] = None
    key_id: Annotated[
        str | None, Field(max_length=64, description="Id of the API key in that Secret; not the key itself.")
    ] = None


class PaymentProviderStatus(ResourceStatus):
    """State of a PaymentProvider."""

    account: Annotated[
        str | None, Field(max_length=255, description="The provider's account that its name stands for.")
    ] = None
    mode: Annotated[Literal["test", "live"] | None, Field(description="Whether money moves there.")] = None
