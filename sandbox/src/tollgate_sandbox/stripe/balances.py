"""A customer's balance, which invoices draw on, and the account's own."""

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.stripe.world import World


def of(customer: Json, currency: str) -> int:
    """Negative is credit, positive is owed."""
    balance: int = customer["invoice_credit_balance"].get(currency, 0)
    return balance


def book(world: World, customer: Json, amount: int, currency: str, type_: str, invoice: str | None = None) -> Json:
    """Change a customer's balance, leaving a trace."""
    customer["currency"] = customer["currency"] or currency
    balances = customer["invoice_credit_balance"]
    balances[currency] = of(customer, currency) + amount
    customer["balance"] = of(customer, customer["currency"])
    return world.new(
        "customer_balance_transaction",
        "cbtxn",
        {
            "amount": amount,
            "currency": currency,
            "customer": customer["id"],
            "ending_balance": balances[currency],
            "invoice": invoice,
            "type": type_,
        },
    )


def movement(world: World, amount: int, currency: str, type_: str, source: str, description: str | None = None) -> Json:
    """A movement on the account's balance; the simulator takes no fees."""
    now = world.now()
    return world.new(
        "balance_transaction",
        "txn",
        {
            "amount": amount,
            "available_on": now,
            "currency": currency,
            "description": description,
            "exchange_rate": None,
            "fee": 0,
            "fee_details": [],
            "net": amount,
            "reporting_category": type_,
            "source": source,
            "status": "available",
            "type": type_,
            "balance_type": "payments",
        },
    )
