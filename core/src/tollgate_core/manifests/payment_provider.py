"""PaymentProvider: who invoices and charges the customers of a product."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from tollgate_core.manifests.base import Model, Resource, SecretKeyRef
from tollgate_core.manifests.rules import Rule

_ONE = "needs exactly one of stripe and paddle"


class Stripe(Model):
    """An account at Stripe."""

    secret_key_ref: Annotated[SecretKeyRef, Field(description="The secret API key (sk_… or a restricted rk_…).")]
    webhook_secret_key_ref: Annotated[
        SecretKeyRef, Field(description="Signing secret of the webhook endpoint (whsec_…).")
    ]
    account_id: Annotated[
        str | None,
        Field(
            pattern=r"^acct_[A-Za-z0-9]+$",
            max_length=64,
            description="Connected account to act for (acct_…); the key's own account if absent.",
        ),
    ] = None


class Paddle(Model):
    """An account at Paddle Billing."""

    secret_key_ref: Annotated[SecretKeyRef, Field(description="The API key.")]
    webhook_secret_key_ref: Annotated[SecretKeyRef, Field(description="Secret key of the notification destination.")]
    environment: Annotated[
        Literal["sandbox", "production"], Field(description="Which of Paddle's two systems the keys belong to.")
    ] = "production"


class PaymentProviderSpec(Model):
    """An account at a payment provider: exactly one of ``stripe`` and ``paddle``."""

    display_name: Annotated[str | None, Field(max_length=128, description="Name for people.")] = None
    stripe: Annotated[Stripe | None, Field(description="An account at Stripe.")] = None
    paddle: Annotated[Paddle | None, Field(description="An account at Paddle Billing.")] = None

    rules: ClassVar = (
        Rule(_ONE, "has(self.stripe) != has(self.paddle)"),
        Rule(
            "cannot change between stripe and paddle: customers have accounts there; make another PaymentProvider",
            "has(self.stripe) == has(oldSelf.stripe)",
        ),
    )

    @model_validator(mode="after")
    def _one_provider(self) -> "PaymentProviderSpec":
        if (self.stripe is None) == (self.paddle is None):
            raise ValueError(_ONE)
        return self


class PaymentProvider(Resource[PaymentProviderSpec]):
    """Who invoices and charges the customers of a product."""

    kind: Literal["PaymentProvider"] = "PaymentProvider"
