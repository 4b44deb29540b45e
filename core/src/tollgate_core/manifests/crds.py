"""CustomResourceDefinitions from the models: the one source of the schemas.

None has a ``scale`` subresource: there is nothing here of which one would want more replicas.
"""

from dataclasses import dataclass
from typing import Any

from tollgate_core.manifests.api import API
from tollgate_core.manifests.base import Resource, ResourceMetadata
from tollgate_core.manifests.metric import BillableMetric
from tollgate_core.manifests.payment_provider import PaymentProvider
from tollgate_core.manifests.portal import Portal
from tollgate_core.manifests.price import Price
from tollgate_core.manifests.product import Product
from tollgate_core.manifests.status import (
    APIStatus,
    PaymentProviderStatus,
    ProductStatus,
    ResourceStatus,
    SubscriptionStatus,
)
from tollgate_core.manifests.structural import structural
from tollgate_core.manifests.subscription import Subscription

GROUP, VERSION = "tollgate.dev", "v1alpha1"


@dataclass(frozen=True)
class Column:
    """A column of ``kubectl get``; ``wide`` ones show with ``-o wide`` only."""

    name: str
    path: str
    description: str
    type: str = "string"
    wide: bool = False

    def definition(self) -> dict[str, Any]:
        """As in ``additionalPrinterColumns``."""
        fields = {"name": self.name, "type": self.type, "jsonPath": self.path, "description": self.description}
        return {**fields, "priority": 1} if self.wide else fields


@dataclass(frozen=True)
class Kind:
    """What a CRD says beside its schema. Short names begin with ``tg``: ``sub`` and ``api`` are others' already."""

    model: type[Resource[Any]]
    plural: str
    short_name: str
    columns: tuple[Column, ...]
    status: type[ResourceStatus] = ResourceStatus

    @property
    def name(self) -> str:
        """As in manifests."""
        return self.model.__name__


def _condition(name: str, description: str, *, wide: bool = False) -> Column:
    return Column(name, f'.status.conditions[?(@.type=="{name}")].status', description, wide=wide)


_ACCEPTED = _condition("Accepted", "Whether it is right in itself.")
_RESOLVED = _condition("ResolvedRefs", "Whether what it refers to exists and may be used.", wide=True)
_PROGRAMMED = _condition("Programmed", "Whether Envoy has confirmed it.")
_STATE = (_ACCEPTED, _RESOLVED, _PROGRAMMED)
_AGE = Column("Age", ".metadata.creationTimestamp", "Time since it was made.", "date")

CUSTOM_KINDS = (
    Kind(
        API,
        "apis",
        "tgapi",
        (
            Column("Prefix", ".spec.pathPrefix", "Where it is on the gateway."),
            Column("Endpoints", ".status.endpoints", "How many endpoints it serves.", "integer"),
            Column("Mode", ".spec.metering.mode", "How usage is read."),
            Column("Upstream", ".spec.upstream.url", "Where calls go.", wide=True),
            Column("Service", ".spec.upstream.serviceRef.name", "Service where calls go.", wide=True),
            *_STATE,
        ),
        APIStatus,
    ),
    Kind(
        Product,
        "products",
        "tgprod",
        (
            Column("Visibility", ".spec.visibility", "Whether the portal shows it."),
            Column("Provider", ".spec.paymentProvider", "Who charges its customers.", wide=True),
            Column("Subscriptions", ".status.subscriptions", "How many Subscriptions refer to it.", "integer"),
            *_STATE,
        ),
        ProductStatus,
    ),
    Kind(
        BillableMetric,
        "billablemetrics",
        "tgmetric",
        (
            Column("Unit", ".spec.unit", "What one unit is called."),
            Column("Aggregation", ".spec.aggregation", "How calls add up.", wide=True),
            *_STATE,
        ),
    ),
    Kind(
        Price,
        "prices",
        "tgprice",
        (
            Column("Product", ".spec.product", "Product it belongs to."),
            Column("Metric", ".spec.metric", "Metric it charges."),
            Column("Model", ".spec.model", "How it is computed.", wide=True),
            Column("Amount", ".spec.amount", "Major units of the currency."),
            Column("Currency", ".spec.currency", "ISO 4217 code."),
            Column("Per", ".spec.per", "Units the amount is for."),
            *_STATE,
        ),
    ),
    Kind(
        Subscription,
        "subscriptions",
        "tgsub",
        (
            Column("Product", ".spec.product", "Product that is subscribed to."),
            Column("Customer", ".spec.customer.id", "Who pays."),
            Column("Secret", ".status.secretName", "Secret that holds the API key.", wide=True),
            Column("Suspended", ".spec.suspended", "Whether its calls are refused.", "boolean", wide=True),
            *_STATE,
        ),
        SubscriptionStatus,
    ),
    Kind(
        PaymentProvider,
        "paymentproviders",
        "tgpay",
        (
            Column("Account", ".status.account", "The provider's account that it stands for."),
            Column("Mode", ".status.mode", "test or live: whether money moves."),
            Column("Stripe", ".spec.stripe.accountId", "Connected account at Stripe.", wide=True),
            Column("Paddle", ".spec.paddle.environment", "Environment at Paddle.", wide=True),
            _ACCEPTED,
            _RESOLVED,
            _condition("Synced", "Whether its account can be used."),
        ),
        PaymentProviderStatus,
    ),
    Kind(
        Portal,
        "portals",
        "tgportal",
        (Column("Domain", ".spec.domain", "Host name that customers use."), _ACCEPTED, _RESOLVED),
    ),
)


def custom_resource_definitions() -> dict[str, dict[str, Any]]:
    """By file name (``tollgate.dev_apis``)."""
    kinds = sorted(CUSTOM_KINDS, key=lambda kind: kind.plural)
    return {f"{GROUP}_{kind.plural}": _definition(kind) for kind in kinds}


def _definition(kind: Kind) -> dict[str, Any]:
    version: dict[str, Any] = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": _schema(kind)},
        "subresources": {"status": {}},
        "additionalPrinterColumns": [column.definition() for column in (*kind.columns, _AGE)],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": kind.name,
                "listKind": f"{kind.name}List",
                "plural": kind.plural,
                "singular": kind.name.lower(),
                "shortNames": [kind.short_name],
                "categories": ["tollgate"],
            },
            "scope": "Namespaced",
            "versions": [version],
        },
    }


def _schema(kind: Kind) -> dict[str, Any]:
    model = kind.model.model_json_schema(by_alias=True)
    name = ResourceMetadata.model_json_schema(by_alias=True)["properties"]["name"]
    status = kind.status.model_json_schema(by_alias=True)
    return {
        "description": (kind.model.__doc__ or kind.name).strip().splitlines()[0],
        "type": "object",
        "required": ["metadata", "spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": f"{GROUP}/{VERSION}."},
            "kind": {"type": "string", "description": f"{kind.name}."},
            "metadata": {"type": "object", "properties": {"name": structural(name, {})}},
            "spec": structural(model["properties"]["spec"], model.get("$defs", {})),
            "status": structural(status, status.get("$defs", {})),
        },
    }
