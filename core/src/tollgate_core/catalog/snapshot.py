"""The records of a catalog. Frozen; encoded canonically, so that equal content has an equal hash."""

import hashlib
from typing import Literal

import msgspec

from tollgate_core.periods import Interval

Mode = Literal["stream", "native"]
OnIncomplete = Literal["estimate", "lastSnapshot", "waive"]
PricingModel = Literal["flat", "standard", "package", "graduated", "volume"]
Aggregation = Literal["sum", "count", "max", "last", "unique"]
Unpriced = Literal["hold", "free", "reject"]


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """Base of the catalog's records."""


class Endpoint(Record, frozen=True, kw_only=True):
    """``id`` is ``api/name``, and the name of its route in Envoy. ``pattern`` is a regular expression of the path below
    the gateway's root, with a named group for each path parameter."""

    id: str
    method: str
    path: str
    pattern: str
    format: str | None = None


class Transformation(Record, frozen=True, kw_only=True):
    """``kind`` says how ``text`` gives the value. ``endpoints`` are ids; empty means all."""

    target: Literal["header", "query", "body"]
    action: Literal["add", "replace", "remove"]
    kind: Literal["value", "jq", "cel", "none"]
    name: str = ""
    text: str = ""
    endpoints: tuple[str, ...] = ()


class Rejection(Record, frozen=True, kw_only=True):
    """A request for which ``when`` is true is refused."""

    when: str
    status: int
    message: str
    endpoints: tuple[str, ...] = ()


class Api(Record, frozen=True, kw_only=True):
    """An API as the gate and the meter see it."""

    name: str
    mode: Mode
    on_incomplete: OnIncomplete
    force_usage: bool
    max_request_bytes: int
    default_max_output_tokens: int
    endpoints: tuple[Endpoint, ...]
    transformations: tuple[Transformation, ...] = ()
    rejections: tuple[Rejection, ...] = ()


class MetricUsage(Record, frozen=True, kw_only=True):
    """What one call of ``endpoints`` (ids) counts."""

    endpoints: tuple[str, ...]
    quantity: str
    when: str


class Metric(Record, frozen=True, kw_only=True):
    """A billable metric."""

    name: str
    unit: str
    usage: tuple[MetricUsage, ...]
    display_name: str = ""
    aggregation: Aggregation = "sum"


class RateLimit(Record, frozen=True, kw_only=True):
    """``amount`` per ``window_ms`` with room for ``burst`` at once; for concurrency ``amount`` calls in flight."""

    name: str
    kind: Literal["requests", "tokens", "concurrency"]
    amount: float
    window_ms: int = 0
    burst: float = 0
    endpoints: tuple[str, ...] = ()
    per_key: bool = False


class MetricLimit(Record, frozen=True, kw_only=True):
    """At most ``limit`` units per period; ``hold`` units per call, or estimated where it is 0. ``notify_at`` are
    percents of it; ``least`` and ``most`` bound a subscription's own limit, and are 0 where it can have none."""

    metric: str
    limit: float
    interval: Interval
    interval_count: int = 1
    hold: float = 0
    soft: bool = False
    notify_at: tuple[int, ...] = ()
    least: float = 0
    most: float = 0
    per_key: bool = False


class TopUps(Record, frozen=True, kw_only=True):
    """What customers may pay in. Amounts are decimal texts in major units."""

    least: str
    most: str
    automatic_per_day: int
    automatic_per_month: str


class PriceReference(Record, frozen=True, kw_only=True):
    """The version of a price that was current for a product."""

    metric: str
    name: str
    version: str


class Dunning(Record, frozen=True, kw_only=True):
    """Days of grace, then days with few requests a minute, then none; below zero ``cancel_days`` are without end."""

    grace_days: int
    throttle_days: int
    requests_per_minute: int
    cancel_days: int = -1


class Product(Record, frozen=True, kw_only=True):
    """A product; ``prices`` are its metered prices' current versions; ``time_zone`` is empty for UTC. (The encoding
    leaves out a default text only where it is the very same object: so defaults are empty or of one character.)"""

    name: str
    version: str
    endpoints: tuple[str, ...]
    display_name: str = ""
    rate_limits: tuple[RateLimit, ...] = ()
    limits: tuple[MetricLimit, ...] = ()
    max_keys: int = 10
    transformations: tuple[Transformation, ...] = ()
    prices: tuple[PriceReference, ...] = ()
    unpriced: Unpriced = "hold"
    time_zone: str = ""
    trial_days: int = 0
    switches: tuple[str, ...] = ()
    #: Of a prepaid product: major units by which calls may exceed the credit. Empty where it is not prepaid.
    overdraft: str = ""
    low_balance: str = ""
    clamp_output: bool = False
    top_ups: TopUps | None = None
    #: Who collects what is due; empty where nobody does.
    payment_provider: str = ""
    #: None: an overdue invoice limits nothing.
    dunning: Dunning | None = None


class PriceTier(Record, frozen=True, kw_only=True):
    """``up_to`` is empty in the last tier."""

    up_to: str = ""
    amount: str
    flat_amount: str = "0"


class Price(Record, frozen=True, kw_only=True):
    """One immutable version of a price. Amounts are decimal texts in major units. ``cost`` is what ``cost_per`` units
    cost the provider; empty where that is not known. ``effective_from`` is RFC 3339 or empty."""

    name: str
    version: str
    product: str
    currency: str
    model: PricingModel
    amount: str = "0"
    per: str = "1"
    included: str = "0"
    metric: str = ""
    #: How the metric adds up: a term of the version, whatever becomes of the metric.
    aggregation: Aggregation = "sum"
    interval: Interval = "month"
    interval_count: int = 1
    display_name: str = ""
    one_off: bool = False
    tiers: tuple[PriceTier, ...] = ()
    aggregation_interval: Interval | None = None
    aggregation_interval_count: int = 1
    in_arrears: bool = False
    seats: int = 1
    min_seats: int = 1
    max_seats: int = 1
    when: str = ""
    priority: int = 0
    trial_units: str = "0"
    cost: str = ""
    cost_per: str = "1"
    effective_from: str = ""


class Subscription(Record, frozen=True, kw_only=True):
    """A declared subscription. ``starts_at`` is RFC 3339 or empty."""

    name: str
    product: str
    customer: str
    customer_name: str = ""
    starts_at: str = ""
    suspended: bool = False
    currency: str = ""
    time_zone: str = ""
    follow_prices: bool = False


class PaymentProvider(Record, frozen=True, kw_only=True):
    """Who collects, without any secret. ``account`` is a connected account at Stripe; ``api_url`` is empty for the
    provider's own address."""

    name: str
    kind: Literal["stripe", "paddle", "manual"]
    account: str = ""
    automatic_tax: bool = False
    sandbox: bool = False
    api_url: str = ""
    days_until_due: int = 0

    def digest(self) -> str:
        """Names its content: what was found out about one spec is not said of the next."""
        return content_hash(msgspec.json.encode(self, order="sorted"))


class Catalog(Record, frozen=True, kw_only=True):
    """Everything, each list sorted by name."""

    apis: tuple[Api, ...] = ()
    metrics: tuple[Metric, ...] = ()
    products: tuple[Product, ...] = ()
    prices: tuple[Price, ...] = ()
    subscriptions: tuple[Subscription, ...] = ()
    payment_providers: tuple[PaymentProvider, ...] = ()

    def product(self, name: str) -> Product | None:
        """None where there is none, or not any more."""
        return next((product for product in self.products if product.name == name), None)

    def collects_by_hand(self, provider: str) -> bool:
        """Whether nobody but a person says what was paid; so too where the provider is gone."""
        return all(one.kind == "manual" for one in self.payment_providers if one.name == provider)

    def encode(self) -> bytes:
        """Canonical JSON."""
        return msgspec.json.encode(self, order="sorted")

    @staticmethod
    def decode(encoded: bytes) -> "Catalog":
        """The inverse of encode."""
        return msgspec.json.decode(encoded, type=Catalog)


def content_hash(encoded: bytes) -> str:
    """16 hexadecimal digits that name a content."""
    return hashlib.sha256(encoded).hexdigest()[:16]
