"""Price: what a metric or a period costs in a product."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from tollgate_core.manifests.base import (
    CelSource,
    Model,
    Name,
    NonNegativeQuantity,
    PositiveQuantity,
    Resource,
    Timestamp,
)
from tollgate_core.manifests.rules import OneOf, Rule, immutable
from tollgate_core.money import CURRENCIES

CURRENCY_PATTERN = r"^[A-Z]{3}$"


class BillingPeriod(Model):
    """Every ``intervalCount`` intervals, counted from the subscription's start."""

    interval: Annotated[Literal["day", "week", "month", "year"], Field(description="Length of one interval.")] = "month"
    interval_count: Annotated[int, Field(ge=1, le=1000, description="How many intervals.")] = 1


class PriceTier(Model):
    """What units of a range of quantities cost. The range begins above the one before it."""

    up_to: Annotated[
        PositiveQuantity | None, Field(description="Greatest quantity of the tier; none for the last one.")
    ] = None
    amount: Annotated[NonNegativeQuantity, Field(description="Major units of the currency for every `per` units.")]
    flat_amount: Annotated[
        NonNegativeQuantity, Field(description="Major units of the currency once per period in which the tier is used.")
    ] = "0"


class Seats(Model):
    """How many of a flat price a customer has, and what customers may choose themselves."""

    default: Annotated[int, Field(ge=0, le=1_000_000, description="How many at first.")] = 1
    min: Annotated[int, Field(ge=0, le=1_000_000, description="Least that a customer may choose.")] = 1
    max: Annotated[int, Field(ge=0, le=1_000_000, description="Most that a customer may choose.")] = 1

    rules: ClassVar = (
        Rule("must be between min and max", "self.min <= self.default && self.default <= self.max", "default"),
    )

    @model_validator(mode="after")
    def _check_order(self) -> "Seats":
        if not self.min <= self.default <= self.max:
            raise ValueError("default must be between min and max")
        return self


class Cost(Model):
    """What units cost you: the margin is what remains of the price."""

    amount: Annotated[NonNegativeQuantity, Field(description="Major units of the price's currency.")]
    per: Annotated[PositiveQuantity, Field(description="Units that the amount is for, for example 1M.")] = "1"


_FLAT_WITHOUT_METRIC = "a flat price has no metric; use model standard to charge units"
_FLAT_WITHOUT_UNITS = "a flat price has neither per, included, trialUnits, aggregationPeriod, when nor cost"
_METERED_NEEDS_METRIC = "a price of this model needs a metric"
_TIERS_IF_TIERED = "graduated and volume prices need tiers; other models have none"
_AMOUNT_UNLESS_TIERED = "is needed, but not in graduated and volume prices: there each tier has its own"
_FEE_ONLY = "only a flat price has seats, billingMode and type oneOff"
_PRIORITY_NEEDS_WHEN = "priority orders prices with a condition: it needs when"
_LAST_TIER_OPEN = "every tier needs upTo but the last, which has none"


class PriceSpec(Model):
    """What a price is: docs/pricing.md."""

    display_name: Annotated[str | None, Field(max_length=128, description="The invoice line's text.")] = None
    product: Annotated[
        Name,
        Field(description="Product it belongs to. Cannot be changed."),
        immutable("cannot be changed; make another Price for the other product"),
    ]
    metric: Annotated[Name | None, Field(description="Metric it charges; none for a fee.")] = None
    currency: Annotated[
        str,
        Field(pattern=CURRENCY_PATTERN, max_length=3, description="ISO 4217 code. Cannot be changed."),
        OneOf(CURRENCIES, "is no ISO 4217 currency with a minor unit"),
        immutable("cannot be changed: what was rated would change its meaning; make another Price"),
    ]
    type: Annotated[
        Literal["recurring", "oneOff"],
        Field(description="recurring: every billing period; oneOff: once, when a subscription begins."),
    ] = "recurring"
    model: Annotated[
        Literal["flat", "standard", "package", "graduated", "volume"],
        Field(
            description="flat: the amount once per period; standard: for every `per` units; package: for every `per` "
            "units begun; graduated: each tier charges its own units; volume: the tier reached charges all units."
        ),
    ]
    amount: Annotated[
        NonNegativeQuantity | None, Field(description="Major units of the currency, for example 0.15.")
    ] = None
    per: Annotated[PositiveQuantity, Field(description="Units the amount is for, for example 1M.")] = "1"
    included: Annotated[
        NonNegativeQuantity, Field(description="Units of each aggregation period that cost nothing.")
    ] = "0"
    tiers: Annotated[
        list[PriceTier], Field(max_length=64, description="Of graduated and volume prices, by rising upTo.")
    ] = []
    billing_period: Annotated[BillingPeriod, Field(description="How often it is billed.")] = BillingPeriod()
    aggregation_period: Annotated[
        BillingPeriod | None,
        Field(
            description="Over which units add up, and after which `included` and tiers begin anew; it must divide the "
            "billing period. The billing period if absent."
        ),
    ] = None
    billing_mode: Annotated[
        Literal["inAdvance", "inArrears"],
        Field(description="Whether a flat price is due at the start or at the end of its period."),
    ] = "inAdvance"
    seats: Annotated[Seats | None, Field(description="Of a flat price: the amount is for one of them.")] = None
    when: Annotated[
        CelSource | None,
        Field(
            description="CEL; the price only charges calls for which it is true. Over model, requestedModel, "
            "servedModel, endpoint, api, format, streamed, dimensions, usage, quantity, inputTokens, serviceTier, time."
        ),
    ] = None
    priority: Annotated[
        int, Field(ge=-1000, le=1000, description="Of prices whose conditions hold, the greatest applies.")
    ] = 0
    trial_units: Annotated[
        NonNegativeQuantity, Field(description="Units that are free once in a subscription's life.")
    ] = "0"
    cost: Annotated[Cost | None, Field(description="What the units cost you, for margins and lint.")] = None
    effective_from: Annotated[
        Timestamp | None,
        Field(description="Subscriptions that begin earlier get the version before; from when first seen if absent."),
    ] = None

    rules: ClassVar = (
        Rule(_FLAT_WITHOUT_METRIC, "self.model != 'flat' || !has(self.metric)", "metric"),
        Rule(
            _FLAT_WITHOUT_UNITS,
            "self.model != 'flat' || (self.per == '1' && self.included == '0' && self.trialUnits == '0' && "
            "!has(self.aggregationPeriod) && !has(self.when) && !has(self.cost))",
        ),
        Rule(_METERED_NEEDS_METRIC, "self.model == 'flat' || has(self.metric)", "metric"),
        Rule(_TIERS_IF_TIERED, "(self.model in ['graduated', 'volume']) == (self.tiers.size() > 0)", "tiers"),
        Rule(_AMOUNT_UNLESS_TIERED, "(self.model in ['graduated', 'volume']) != has(self.amount)", "amount"),
        Rule(
            _FEE_ONLY,
            "self.model == 'flat' || (!has(self.seats) && self.billingMode == 'inAdvance' && self.type == 'recurring')",
        ),
        Rule(_PRIORITY_NEEDS_WHEN, "has(self.when) || self.priority == 0", "priority"),
        Rule(
            _LAST_TIER_OPEN,
            "self.tiers.size() == 0 || (!has(self.tiers[self.tiers.size() - 1].upTo) && "
            "self.tiers.filter(t, !has(t.upTo)).size() == 1)",
            "tiers",
        ),
    )

    @model_validator(mode="after")
    def _check_model(self) -> "PriceSpec":
        flat, tiered = self.model == "flat", self.model in {"graduated", "volume"}
        units = (self.per, self.included, self.trial_units) != ("1", "0", "0")
        if flat and self.metric is not None:
            raise ValueError(_FLAT_WITHOUT_METRIC)
        if flat and (units or self.aggregation_period or self.when or self.cost):
            raise ValueError(_FLAT_WITHOUT_UNITS)
        if not flat and self.metric is None:
            raise ValueError(_METERED_NEEDS_METRIC)
        if tiered != bool(self.tiers):
            raise ValueError(_TIERS_IF_TIERED)
        if tiered != (self.amount is None):
            raise ValueError(f"amount {_AMOUNT_UNLESS_TIERED}")
        if not flat and (self.seats or self.billing_mode != "inAdvance" or self.type != "recurring"):
            raise ValueError(_FEE_ONLY)
        if self.when is None and self.priority:
            raise ValueError(_PRIORITY_NEEDS_WHEN)
        if self.tiers and any((tier.up_to is None) != (tier is self.tiers[-1]) for tier in self.tiers):
            raise ValueError(_LAST_TIER_OPEN)
        return self


class Price(Resource[PriceSpec]):
    """What a metric or a period costs."""

    kind: Literal["Price"] = "Price"
