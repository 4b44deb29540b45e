"""Subscription: a customer on a product, declared in YAML (B2B, internal chargeback, laptop demo)."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from tollgate_core.manifests.base import Duration, Model, Name, ObjectName, Resource, Timestamp, TimeZone
from tollgate_core.manifests.price import CURRENCY_PATTERN
from tollgate_core.manifests.rules import Rule, immutable

#: Key of the Secret ``spec.secretName`` that holds the API key.
SECRET_KEY = "api-key"  # noqa: S105
#: A new value of this annotation makes a new key.
ROTATE_ANNOTATION = "tollgate.dev/rotate-key"


class Customer(Model):
    """Who pays."""

    id: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9][A-Za-z0-9._@:-]{0,127}$",
            max_length=128,
            description="Stable id of the customer. Cannot be changed.",
        ),
        immutable("cannot be changed: what was used would change its owner; make another Subscription"),
    ]
    display_name: Annotated[str | None, Field(max_length=128, description="Name for people.")] = None


class SubscriptionSpec(Model):
    """What a subscription is."""

    product: Annotated[Name, Field(description="Product that is subscribed to.")]
    product_namespace: Annotated[
        Name | None,
        Field(
            description="Namespace of the Product, where it is another than the Subscription's own; a ReferenceGrant "
            "there must allow it."
        ),
    ] = None
    customer: Annotated[Customer, Field(description="Who pays.")]
    starts_at: Annotated[
        Timestamp | None,
        Field(
            description="Anchor of all periods (RFC 3339 with a zone); when first seen if absent. Cannot be changed.",
        ),
    ] = None
    currency: Annotated[
        str | None,
        Field(
            pattern=CURRENCY_PATTERN,
            max_length=3,
            description="ISO 4217 code, where the product has prices in several currencies. Cannot be changed.",
        ),
    ] = None
    time_zone: Annotated[
        TimeZone | None, Field(description="IANA zone of its calendar; the product's if absent. Cannot be changed.")
    ] = None
    follow_prices: Annotated[
        bool,
        Field(description="Take every new version of a price at once, instead of keeping one until it is migrated."),
    ] = False
    suspended: Annotated[bool, Field(description="Refuse its calls.")] = False
    secret_name: Annotated[
        ObjectName | None,
        Field(description=f"Secret of this namespace that gets the API key, as {SECRET_KEY}; none if absent."),
    ] = None
    key_rotation_overlap: Annotated[
        Duration,
        Field(description=f"How long the old key works on after the annotation {ROTATE_ANNOTATION} made a new one."),
    ] = "24h"

    rules: ClassVar = (
        Rule(
            "cannot be changed: it is the anchor of all periods; make another Subscription",
            "has(self.startsAt) == has(oldSelf.startsAt) && (!has(self.startsAt) || self.startsAt == oldSelf.startsAt)",
            "startsAt",
        ),
        Rule(
            "cannot be changed: its statements are in it; make another Subscription",
            "has(self.currency) == has(oldSelf.currency) && (!has(self.currency) || self.currency == oldSelf.currency)",
            "currency",
        ),
        Rule(
            "cannot be changed: its periods are counted in it; make another Subscription",
            "has(self.timeZone) == has(oldSelf.timeZone) && (!has(self.timeZone) || self.timeZone == oldSelf.timeZone)",
            "timeZone",
        ),
    )


class Subscription(Resource[SubscriptionSpec]):
    """A customer on a product."""

    kind: Literal["Subscription"] = "Subscription"
