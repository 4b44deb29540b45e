"""The catalog: an immutable, content-hashed snapshot of everything that gate, meter and billing must know.

The operator builds it, Redis carries it, the others read it. Upstream addresses and credentials are not in it.
"""

from tollgate_core.catalog.limits import LimitScope, effective_limit, is_adjustable, scope_of
from tollgate_core.catalog.snapshot import (
    Aggregation,
    Api,
    Catalog,
    Endpoint,
    Metric,
    MetricLimit,
    MetricUsage,
    Mode,
    OnIncomplete,
    PaymentProvider,
    Price,
    PriceReference,
    PriceTier,
    PricingModel,
    Product,
    RateLimit,
    Rejection,
    Subscription,
    TopUps,
    Transformation,
    Unpriced,
    content_hash,
)

__all__ = [
    "Aggregation",
    "Api",
    "Catalog",
    "Endpoint",
    "LimitScope",
    "Metric",
    "MetricLimit",
    "MetricUsage",
    "Mode",
    "OnIncomplete",
    "PaymentProvider",
    "Price",
    "PriceReference",
    "PriceTier",
    "PricingModel",
    "Product",
    "RateLimit",
    "Rejection",
    "Subscription",
    "TopUps",
    "Transformation",
    "Unpriced",
    "content_hash",
    "effective_limit",
    "is_adjustable",
    "scope_of",
]
