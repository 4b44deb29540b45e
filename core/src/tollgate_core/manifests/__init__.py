"""The resources of ``tollgate.dev/v1alpha1`` as strict pydantic models: the one source of the CRDs and of validation.

A model checks what one resource can know about itself. References between resources, routes and expressions are the
operator's reconcile.
"""

from tollgate_core.manifests.api import (
    API,
    APISpec,
    Credential,
    Endpoint,
    Metering,
    RejectionRule,
    Transformation,
    Transformations,
)
from tollgate_core.manifests.base import API_VERSION, EndpointSelector, Metadata, Resource, SecretKeyRef, qualified_name
from tollgate_core.manifests.kubernetes import ReferenceGrant, Service
from tollgate_core.manifests.metric import BillableMetric, BillableMetricSpec, MetricUsage
from tollgate_core.manifests.parse import KINDS, parse_manifest
from tollgate_core.manifests.payment_provider import PaymentProvider, PaymentProviderSpec
from tollgate_core.manifests.portal import Portal, PortalSpec
from tollgate_core.manifests.price import BillingPeriod, Price, PriceSpec, PriceTier
from tollgate_core.manifests.product import Dunning, MetricLimit, Product, ProductSpec, RateLimit, TopUps
from tollgate_core.manifests.secret import Secret
from tollgate_core.manifests.status import APIStatus, ProductStatus, ResourceStatus, StatusCondition, SubscriptionStatus
from tollgate_core.manifests.subscription import (
    ROTATE_ANNOTATION,
    SECRET_KEY,
    Customer,
    Subscription,
    SubscriptionSpec,
)
from tollgate_core.manifests.upstream import ServiceRef, Upstream

__all__ = [
    "API",
    "API_VERSION",
    "KINDS",
    "ROTATE_ANNOTATION",
    "SECRET_KEY",
    "APISpec",
    "APIStatus",
    "BillableMetric",
    "BillableMetricSpec",
    "BillingPeriod",
    "Credential",
    "Customer",
    "Dunning",
    "Endpoint",
    "EndpointSelector",
    "Metadata",
    "Metering",
    "MetricLimit",
    "MetricUsage",
    "PaymentProvider",
    "PaymentProviderSpec",
    "Portal",
    "PortalSpec",
    "Price",
    "PriceSpec",
    "PriceTier",
    "Product",
    "ProductSpec",
    "ProductStatus",
    "RateLimit",
    "ReferenceGrant",
    "RejectionRule",
    "Resource",
    "ResourceStatus",
    "Secret",
    "SecretKeyRef",
    "Service",
    "ServiceRef",
    "StatusCondition",
    "Subscription",
    "SubscriptionSpec",
    "SubscriptionStatus",
    "TopUps",
    "Transformation",
    "Transformations",
    "Upstream",
    "parse_manifest",
    "qualified_name",
]
