"""Credit that a customer has with the seller, by currency."""

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.paddle.ids import CUSTOMER
from tollgate_sandbox.paddle.world import World


def credit(world: World, customer: str, currency: str, amount: int) -> None:
    """Give it."""
    balance = _balance(world, customer, currency)
    balance["available"] += amount


def available(world: World, customer: str | None, currency: str) -> int:
    """What there is to use."""
    return int(_balance(world, customer, currency)["available"]) if customer else 0


def use(world: World, customer: str, currency: str, amount: int) -> None:
    """Spend it."""
    balance = _balance(world, customer, currency)
    balance["available"] -= amount
    balance["used"] += amount


def give_back(world: World, customer: str | None, currency: str, amount: int) -> None:
    """What was spent on something that was called off."""
    if customer and amount:
        use(world, customer, currency, -amount)


def balances(world: World, customer: Json) -> list[Json]:
    """All of a customer."""
    kept: dict[str, Json] = world.hidden(customer).get("balances", {})
    return [
        {
            "customer_id": customer["id"],
            "currency_code": currency,
            "balance": {"available": str(one["available"]), "reserved": "0", "used": str(one["used"])},
        }
        for currency, one in kept.items()
    ]


def _balance(world: World, customer: str, currency: str) -> Json:
    kept: dict[str, Json] = world.hidden(world.get(CUSTOMER, customer)).setdefault("balances", {})
    return kept.setdefault(currency, {"available": 0, "used": 0})
