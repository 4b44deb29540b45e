"""Names of accounts and commodities. The only place that puts them together and takes them apart."""

USAGE_PREFIX = "usage:"


def usage_account(subscription: str, metric: str) -> str:
    """Where a subscription's units of a metric add up."""
    return f"{USAGE_PREFIX}{subscription}:{metric}"


def metric_of_account(account: str, subscription: str) -> str:
    """The metric of a subscription's usage account."""
    return account[len(USAGE_PREFIX) + len(subscription) + 1 :]


def metered_account(endpoint: str) -> str:
    """Where the units came from."""
    return f"metered:{endpoint}"


def commodity(metric: str, price: str = "", version: str = "") -> str:
    """Units of a metric that one price version charges, or that none does. Names hold no ``@``."""
    return f"metric:{metric}@{price}:{version}" if price else f"metric:{metric}"


def price_of(commodity_name: str) -> tuple[str, str]:
    """(name, version) of the price that charges a commodity; both empty where none does."""
    _, _, text = commodity_name.partition("@")
    name, _, version = text.rpartition(":")
    return name, version
