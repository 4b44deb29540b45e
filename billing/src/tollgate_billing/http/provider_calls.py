"""Asking a payment provider while somebody waits for the answer."""

from collections.abc import Generator
from contextlib import contextmanager

from tollgate_billing.http.problems import Problem
from tollgate_billing.http.services import Services
from tollgate_billing.payments.port import AmbiguousError, ProviderPort, RefusedError, TryLaterError


def port_of(services: Services, provider: str) -> ProviderPort:
    """Raises a 503 where its keys are missing: they may come."""
    found = services.providers().get(provider)
    if found is None:
        raise Problem(503, f"there is no payment provider {provider}, or its keys are missing")
    return found


@contextmanager
def asking() -> Generator[None]:
    """What a provider does not do becomes an answer that says whether to ask again."""
    try:
        yield
    except RefusedError as error:
        raise Problem(409, str(error)) from error
    except (TryLaterError, AmbiguousError) as error:
        raise Problem(503, f"{error}: ask again with the same id") from error
