"""PaymentProvider: who invoices and charges the customers of a product."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from tollgate_core.manifests.base import Model, Resource, SecretKeyRef
from tollgate_core.manifests.rules import Rule

_ONE = "needs exactly one of stripe, paddle and manual"
_KINDS = ("stripe", "paddle", "manual")
_PREVIOUS = "The one before, while it is being replaced: both are taken."


class Stripe(Model):
    """An account at Stripe."""

    secret_key_ref: Annotated[SecretKeyRef, Field(description="The secret API key (sk_… or a restricted rk_…).")]
    webhook_secret_key_ref: Annotated[
        SecretKeyRef, Field(description="Signing secret of the webhook endpoint (whsec_…).")
    ]
    previous_webhook_secret_key_ref: Annotated[SecretKeyRef | None, Field(description=_PREVIOUS)] = None
    account_id: Annotated[
        str | None,
        Field(
            pattern=r"^acct_[A-Za-z0-9]+$",
            max_length=64,
            description="Connected account to act for (acct_…); the key's own account if absent.",
        ),
    ] = None
    automatic_tax: Annotated[bool, Field(description="Let Stripe Tax add taxes to invoices.")] = False
    api_url: Annotated[
        str | None,
        Field(pattern=r"^https?://", max_length=512, description="Another address of the API, such as a simulator's."),
    ] = None


class Paddle(Model):
    """An account at Paddle Billing."""

    secret_key_ref: Annotated[SecretKeyRef, Field(description="The API key.")]
    webhook_secret_key_ref: Annotated[SecretKeyRef, Field(description="Secret key of the notification destination.")]
    previous_webhook_secret_key_ref: Annotated[SecretKeyRef | None, Field(description=_PREVIOUS)] = None
    environment: Annotated[
        Literal["sandbox", "production"], Field(description="Which of Paddle's two systems the keys belong to.")
    ] = "production"
    api_url: Annotated[
        str | None,
        Field(pattern=r"^https?://", max_length=512, description="Another address of the API, such as a simulator's."),
    ] = None


class Manual(Model):
    """No account anywhere: statements are sent by you, and marked as paid with ``tollgate statements pay``."""

    days_until_due: Annotated[int, Field(ge=0, le=365, description="Days in which a statement is to be paid.")] = 14


class PaymentProviderSpec(Model):
    """Who collects: exactly one of ``stripe``, ``paddle`` and ``manual``."""

    display_name: Annotated[str | None, Field(max_length=128, description="Name for people.")] = None
    stripe: Annotated[Stripe | None, Field(description="An account at Stripe.")] = None
    paddle: Annotated[Paddle | None, Field(description="An account at Paddle Billing.")] = None
    manual: Annotated[Manual | None, Field(description="No account: bank transfers, marked as paid by you.")] = None

    rules: ClassVar = (
        Rule(_ONE, "[has(self.stripe), has(self.paddle), has(self.manual)].filter(g, g).size() == 1"),
        Rule(
            "cannot change between stripe, paddle and manual: customers have accounts there; make another "
            "PaymentProvider",
            "has(self.stripe) == has(oldSelf.stripe) && has(self.paddle) == has(oldSelf.paddle)",
        ),
    )

    @property
    def kind(self) -> Literal["stripe", "paddle", "manual"]:
        """Which of the three it is."""
        return "stripe" if self.stripe else "paddle" if self.paddle else "manual"

    @model_validator(mode="after")
    def _one_provider(self) -> "PaymentProviderSpec":
        if sum(getattr(self, kind) is not None for kind in _KINDS) != 1:
            raise ValueError(_ONE)
        return self


class PaymentProvider(Resource[PaymentProviderSpec]):
    """Who invoices and charges the customers of a product."""

    kind: Literal["PaymentProvider"] = "PaymentProvider"
