"""Names of accounts and commodities. The only place that puts them together and takes them apart."""

from functools import lru_cache

from tollgate_core.admission import PriceVersion

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


@lru_cache(maxsize=4096)
def commodity(metric: str, prices: tuple[PriceVersion, ...]) -> str:
    """Units of a metric under the prices of one moment. Names of prices hold neither ``,`` nor ``@``. Remembered:
    most events of a moment carry the same prices."""
    versions = ",".join(sorted(f"{price.name}:{price.version}" for price in prices if price.metric == metric))
    return f"metric:{metric}@{versions}" if versions else f"metric:{metric}"


def prices_of(commodity_name: str) -> tuple[tuple[str, str], ...]:
    """(name, version) of each price in a commodity."""
    _, _, versions = commodity_name.partition("@")
    pairs = (text.rpartition(":") for text in versions.split(",") if text)
    return tuple((name, version) for name, _, version in pairs)
