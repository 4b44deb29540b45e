"""What is less than a provider charges is carried to the next invoice: it must be known of every currency."""

import pytest

from tollgate_billing.payments.providers.paddle.amounts import least_minor as least_at_paddle
from tollgate_billing.payments.providers.stripe.amounts import least_minor as least_at_stripe
from tollgate_billing.payments.providers.stripe.amounts import to_stripe
from tollgate_core.money import CURRENCIES
from tollgate_sandbox.paddle.money import smallest as smallest_at_paddle
from tollgate_sandbox.stripe.currencies import SUPPORTED
from tollgate_sandbox.stripe.currencies import smallest as smallest_at_stripe

AT_STRIPE = sorted(CURRENCIES & {code.upper() for code in SUPPORTED})
AT_PADDLE = (
    "ARS", "AUD", "BRL", "CAD", "CHF", "CLP", "CNY", "COP", "CZK", "DKK", "EUR", "GBP", "HKD", "HUF", "ILS", "INR",
    "JPY", "KRW", "MXN", "NOK", "NZD", "PLN", "RUB", "SEK", "SGD", "THB", "TRY", "TWD", "UAH", "USD", "VND", "ZAR",
)  # fmt: skip


@pytest.mark.parametrize("currency", AT_STRIPE)
def test_nothing_is_sent_to_stripe_that_it_would_put_on_a_balance(currency: str) -> None:
    assert to_stripe(least_at_stripe(currency), currency) >= smallest_at_stripe(currency.lower())


@pytest.mark.parametrize("currency", AT_PADDLE)
def test_nothing_is_sent_to_paddle_that_it_would_refuse_as_too_little(currency: str) -> None:
    assert least_at_paddle(currency) >= smallest_at_paddle(currency)
