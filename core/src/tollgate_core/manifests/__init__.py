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
    Upstream,
)
from tollgate_core.manifests.base import API_VERSION, EndpointSelector, Metadata, Resource, SecretKeyRef, qualified_name
from tollgate_core.manifests.metric import BillableMetric, BillableMetricSpec, MetricUsage
from tollgate_core.manifests.parse import KINDS, parse_manifest
from tollgate_core.manifests.price import BillingPeriod, Price, PriceSpec
from tollgate_core.manifests.product import MetricLimit, Product, ProductSpec, RateLimit
from tollgate_core.manifests.secret import Secret
from tollgate_core.manifests.subscription import Customer, Subscription, SubscriptionSpec

__all__ = [
    "API",
    "API_VERSION",
    "KINDS",
    "APISpec",
    "BillableMetric",
    "BillableMetricSpec",
    "BillingPeriod",
    "Credential",
    "Customer",
    "Endpoint",
    "EndpointSelector",
    "Metadata",
    "Metering",
    "MetricLimit",
    "MetricUsage",
    "Price",
    "PriceSpec",
    "Product",
    "ProductSpec",
    "RateLimit",
    "RejectionRule",
    "Resource",
    "Secret",
    "SecretKeyRef",
    "Subscription",
    "SubscriptionSpec",
    "Transformation",
    "Transformations",
    "Upstream",
    "parse_manifest",
    "qualified_name",
]
