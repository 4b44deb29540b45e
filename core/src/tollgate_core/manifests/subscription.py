"""Subscription: a customer on a product, declared in YAML (B2B, internal chargeback, laptop demo)."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from tollgate_core.manifests.base import Model, Name, Resource


class Customer(Model):
    """Who pays."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@:-]{0,127}$", description="Stable id of the customer.")]
    display_name: Annotated[str | None, Field(max_length=128, description="Name for people.")] = None


class SubscriptionSpec(Model):
    """What a subscription is."""

    product: Annotated[Name, Field(description="Product that is subscribed to.")]
    customer: Annotated[Customer, Field(description="Who pays.")]
    starts_at: Annotated[
        datetime | None, Field(strict=False, description="Anchor of all periods (RFC 3339); when first seen if absent.")
    ] = None
    suspended: Annotated[bool, Field(description="Refuse its calls.")] = False


class Subscription(Resource[SubscriptionSpec]):
    """A customer on a product."""

    kind: Literal["Subscription"] = "Subscription"
