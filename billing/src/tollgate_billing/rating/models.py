"""Which model rates a price. A new model is a module of its own and a line here."""

from decimal import Decimal

from tollgate_billing.rating.flat import rate_flat
from tollgate_billing.rating.lines import Charge
from tollgate_billing.rating.standard import rate_standard
from tollgate_core.catalog import Price


def rate(price: Price, quantity: Decimal, allowance_used: Decimal) -> Charge:
    """What a quantity costs; ``allowance_used`` units of the period were free under earlier versions of the price."""
    match price.model:
        case "flat":
            return rate_flat(price)
        case "standard":
            return rate_standard(price, quantity, allowance_used)
