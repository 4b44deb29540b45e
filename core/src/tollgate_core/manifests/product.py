"""Product: a plan that customers subscribe to."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from tollgate_core.manifests.api import Transformations
from tollgate_core.manifests.base import (
    Duration,
    EndpointSelector,
    Model,
    Name,
    NonNegativeQuantity,
    PositiveQuantity,
    Resource,
    TimeZone,
)
from tollgate_core.manifests.price import BillingPeriod
from tollgate_core.manifests.rules import ListMap, ListSet, Rule

Scope = Literal["subscription", "key"]


class RateLimit(Model):
    """At most so many requests or tokens per window, or so many calls at once, over the chosen endpoints together."""

    name: Annotated[Name, Field(description="Name shown in RateLimit headers.")]
    endpoints: Annotated[
        list[EndpointSelector] | None,
        Field(min_length=1, max_length=64, description="Calls that share it; all of the product if absent."),
    ] = None
    requests: Annotated[PositiveQuantity | None, Field(description="Requests per window.")] = None
    tokens: Annotated[PositiveQuantity | None, Field(description="Tokens (input and output) per window.")] = None
    concurrency: Annotated[int | None, Field(ge=1, le=1_000_000, description="Calls in flight at once.")] = None
    window: Annotated[Duration | None, Field(description="The window, for example 1m.")] = None
    burst: Annotated[
        PositiveQuantity | None, Field(description="What may be used at once after a pause; a full window if absent.")
    ] = None
    scope: Annotated[
        Scope, Field(description="subscription: its keys share the limit; key: each API key has it for itself.")
    ] = "subscription"

    rules: ClassVar = (
        Rule(
            "needs exactly one of requests, tokens and concurrency",
            "[has(self.requests), has(self.tokens), has(self.concurrency)].filter(g, g).size() == 1",
        ),
        Rule(
            "concurrency takes neither window nor burst",
            "!has(self.concurrency) || !(has(self.window) || has(self.burst))",
        ),
        Rule(
            "requests or tokens need a window, for example 1m",
            "!(has(self.requests) || has(self.tokens)) || has(self.window)",
            "window",
        ),
    )

    @model_validator(mode="after")
    def _check_shape(self) -> "RateLimit":
        given = [kind for kind in ("requests", "tokens", "concurrency") if getattr(self, kind) is not None]
        if len(given) != 1:
            raise ValueError("needs exactly one of requests, tokens and concurrency")
        if given == ["concurrency"]:
            if self.window or self.burst:
                raise ValueError("concurrency takes neither window nor burst")
        elif self.window is None:
            raise ValueError("requests or tokens need a window, for example 1m")
        return self


class Bounds(Model):
    """Both belong to it."""

    min: Annotated[PositiveQuantity, Field(description="Smallest limit.")]
    max: Annotated[PositiveQuantity, Field(description="Largest limit.")]


class MetricLimit(Model):
    """A limit on a metric per period, counted from the subscription's start; beyond a hard one calls get 429."""

    metric: Annotated[Name, Field(description="Metric that is limited.")]
    limit: Annotated[PositiveQuantity, Field(description="Units per period.")]
    period: Annotated[BillingPeriod, Field(description="When the count starts anew.")] = BillingPeriod()
    hold: Annotated[
        PositiveQuantity | None,
        Field(description="Units that each call holds until its usage is known; estimated from the request if absent."),
    ] = None
    enforcement: Annotated[
        Literal["hard", "soft"],
        Field(description="hard: calls beyond it are refused; soft: they are let through, and notifications tell."),
    ] = "hard"
    notify_at: Annotated[
        list[Annotated[int, Field(ge=1, le=1000)]],
        Field(max_length=8, description="A notification tells once a period when so much of it is used, in percent."),
        ListSet(),
    ] = []
    adjustable: Annotated[
        Bounds | None, Field(description="Lets each subscription have a limit of its own within these bounds.")
    ] = None
    limit_per_key: Annotated[
        PositiveQuantity | None,
        Field(description="Units per period of each API key by itself, beside the limit of the whole subscription."),
    ] = None


class TopUps(Model):
    """What customers may pay in, themselves or automatically. Amounts in major units of the subscription's currency."""

    min: Annotated[PositiveQuantity, Field(description="Smallest amount of one top-up.")] = "1"
    max: Annotated[PositiveQuantity, Field(description="Largest amount of one top-up.")] = "1000"
    automatic_per_day: Annotated[
        int, Field(ge=0, le=100, description="Automatic top-ups of one subscription in 24 hours at most; 0: none.")
    ] = 3
    automatic_per_month: Annotated[
        PositiveQuantity, Field(description="Money of automatic top-ups of one subscription in 30 days at most.")
    ] = "1000"


class Wallet(Model):
    """Prepaid: calls that the customer's credit does not pay for are refused with 402."""

    overdraft: Annotated[
        NonNegativeQuantity,
        Field(description="How far calls may exceed the credit, in major units of the subscription's currency."),
    ] = "0"
    low_balance: Annotated[
        NonNegativeQuantity | None,
        Field(description="A notification tells when less than this much credit is available, in major units."),
    ] = None
    clamp_output: Annotated[
        bool,
        Field(
            description="Instead of refusing a call whose output may cost more than the credit, lower its bound on "
            "output tokens to what the credit pays for, and tell the client."
        ),
    ] = False
    top_ups: Annotated[TopUps, Field(description="Bounds of what customers pay in.")] = TopUps()


class Dunning(Model):
    """What becomes of access while an invoice is overdue; paid, everything is as before within a second."""

    grace_days: Annotated[int, Field(ge=0, le=365, description="Days in which nothing changes but notifications.")] = 7
    throttle_days: Annotated[
        int, Field(ge=0, le=365, description="Days after these in which few requests are let through; 0: none at all.")
    ] = 7
    requests_per_minute: Annotated[
        int, Field(ge=1, le=10_000, description="So many requests a minute, while it is throttled.")
    ] = 6
    cancel_days: Annotated[
        int | None,
        Field(
            ge=0,
            le=365,
            description="Days without any request after which the subscription is cancelled for good; never if absent. "
            "One that a manifest declares stays suspended.",
        ),
    ] = None


class ProductSpec(Model):
    """What a product grants and allows."""

    display_name: Annotated[str | None, Field(max_length=128, description="Name for people.")] = None
    description: Annotated[str | None, Field(max_length=4096, description="What customers read.")] = None
    visibility: Annotated[
        Literal["public", "private"],
        Field(description="public: anybody sees it in the portal; private: only by Subscription or checkout link."),
    ] = "private"
    payment_provider: Annotated[
        Name | None,
        Field(description="PaymentProvider that charges its customers; none: usage is billed outside of Tollgate."),
    ] = None
    endpoints: Annotated[
        list[EndpointSelector],
        Field(min_length=1, max_length=64, description="What it grants; all else is refused."),
    ]
    rate_limits: Annotated[
        list[RateLimit], Field(max_length=16, description="Limits per time, by name."), ListMap("name")
    ] = []
    limits: Annotated[
        list[MetricLimit],
        Field(max_length=16, description="Limits per metric and period, by metric."),
        ListMap("metric"),
    ] = []
    unpriced: Annotated[
        Literal["hold", "free", "reject"],
        Field(
            description="Units that no price applies to. hold: kept on statements without an amount until one does; "
            "free: cost nothing; reject: as hold, and calls of a model that no price applies to are refused."
        ),
    ] = "hold"
    time_zone: Annotated[TimeZone, Field(description="IANA zone in which its subscriptions' periods are counted.")] = (
        "UTC"
    )
    trial_days: Annotated[
        int, Field(ge=0, le=730, description="Days at the start of a subscription that cost nothing.")
    ] = 0
    switches: Annotated[
        list[Name], Field(max_length=64, description="Products to which its subscriptions may switch."), ListSet()
    ] = []
    wallet: Annotated[Wallet | None, Field(description="Makes the product prepaid.")] = None
    dunning: Annotated[
        Dunning | None,
        Field(description="Limits access while an invoice is overdue; nothing is limited if absent."),
    ] = None
    max_keys: Annotated[int, Field(ge=1, le=1000, description="API keys of one subscription.")] = 10
    transformations: Annotated[Transformations, Field(description="Changes to requests, after the API's.")] = (
        Transformations()
    )


class Product(Resource[ProductSpec]):
    """A plan that customers subscribe to."""

    kind: Literal["Product"] = "Product"
