"""Subscription: a customer on a product, declared in YAML (B2B, internal chargeback, laptop demo)."""

import re
from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import AwareDatetime, BeforeValidator, Field

from tollgate_core.manifests.base import Duration, Model, Name, ObjectName, Resource
from tollgate_core.manifests.rules import Rule, immutable

#: Key of the Secret ``spec.secretName`` that holds the API key.
SECRET_KEY = "api-key"  # noqa: S105
#: A new value of this annotation makes a new key.
ROTATE_ANNOTATION = "tollgate.dev/rotate-key"


_RFC3339 = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})$"


def _rfc3339(value: object) -> object:
    # a YAML file's timestamp is a datetime already
    if not isinstance(value, datetime) and not (isinstance(value, str) and re.fullmatch(_RFC3339, value)):
        raise ValueError("must be a time in RFC 3339 with a zone, for example 2026-11-01T00:00:00Z")
    return value


Timestamp = Annotated[
    AwareDatetime,
    BeforeValidator(_rfc3339),
    Field(strict=False, json_schema_extra={"pattern": _RFC3339}),
]


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
    )


class Subscription(Resource[SubscriptionSpec]):
    """A customer on a product."""

    kind: Literal["Subscription"] = "Subscription"
