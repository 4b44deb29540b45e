"""Price: what a metric or a period costs in a product."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from tollgate_core.manifests.base import Model, Name, NonNegativeQuantity, PositiveQuantity, Resource
from tollgate_core.manifests.rules import Rule, immutable


class BillingPeriod(Model):
    """Every ``intervalCount`` intervals, counted from the subscription's start."""

    interval: Annotated[Literal["day", "week", "month", "year"], Field(description="Length of one interval.")] = "month"
    interval_count: Annotated[int, Field(ge=1, le=1000, description="How many intervals.")] = 1


class PriceSpec(Model):
    """What a price is. Later models (package, graduated, volume) come with the pricing work."""

    display_name: Annotated[str | None, Field(max_length=128, description="The invoice line's text.")] = None
    product: Annotated[
        Name,
        Field(description="Product it belongs to. Cannot be changed."),
        immutable("cannot be changed; make another Price for the other product"),
    ]
    metric: Annotated[Name | None, Field(description="Metric it charges; none for a fee.")] = None
    currency: Annotated[
        str,
        Field(pattern=r"^[A-Z]{3}$", max_length=3, description="ISO 4217 code. Cannot be changed."),
        immutable("cannot be changed: what was rated would change its meaning; make another Price"),
    ]
    model: Annotated[
        Literal["flat", "standard"],
        Field(description="flat: the amount once per period; standard: the amount for every `per` units."),
    ]
    amount: Annotated[NonNegativeQuantity, Field(description="Major units of the currency, for example 0.15.")]
    per: Annotated[PositiveQuantity, Field(description="Units the amount is for, for example 1M.")] = "1"
    included: Annotated[NonNegativeQuantity, Field(description="Units of each period that cost nothing.")] = "0"
    billing_period: Annotated[BillingPeriod, Field(description="How often it is billed.")] = BillingPeriod()

    rules: ClassVar = (
        Rule(
            "a flat price has no metric; use model standard to charge units",
            "self.model != 'flat' || !has(self.metric)",
            "metric",
        ),
        Rule(
            "a flat price has neither per nor included",
            "self.model != 'flat' || (self.per == '1' && self.included == '0')",
        ),
        Rule("a standard price needs a metric", "self.model != 'standard' || has(self.metric)", "metric"),
    )

    @model_validator(mode="after")
    def _check_model(self) -> "PriceSpec":
        if self.model == "flat" and self.metric is not None:
            raise ValueError("a flat price has no metric; use model standard to charge units")
        if self.model == "flat" and (self.per != "1" or self.included != "0"):
            raise ValueError("a flat price has neither per nor included")
        if self.model == "standard" and self.metric is None:
            raise ValueError("a standard price needs a metric")
        return self


class Price(Resource[PriceSpec]):
    """What a metric or a period costs."""

    kind: Literal["Price"] = "Price"
