"""Finding the API key in every place where an official SDK puts one."""

from dataclasses import dataclass

from tollgate_core.api_keys import is_well_formed
from tollgate_extproc.gate.denial import Denial
from tollgate_extproc.gate.request import CREDENTIAL_HEADERS, CREDENTIAL_PARAMETER, Request


@dataclass(frozen=True)
class ApiKey:
    """A key as sent; never shown in a repr."""

    text: str

    def __repr__(self) -> str:
        return "ApiKey(…)"


def find_api_key(request: Request) -> ApiKey | Denial:
    """The one key of a request. Two different ones are refused: nobody could tell whom to charge."""
    found = {value for value in _candidates(request) if value}
    if not found:
        return Denial(401, "missing_api_key", "No API key was sent. Send it as 'Authorization: Bearer tg_live_…'.")
    if len(found) > 1:
        return Denial(401, "ambiguous_api_key", "Two different API keys were sent. Send exactly one.")
    key = found.pop()
    if not is_well_formed(key):
        return Denial(401, "invalid_api_key", "The API key is not valid. Check for a typing error.")
    return ApiKey(key)


def _candidates(request: Request) -> list[str]:
    values = [request.headers.get(name, "") for name in CREDENTIAL_HEADERS]
    scheme, _, token = values[0].strip().partition(" ")
    values[0] = token.strip() if scheme.lower() == "bearer" else values[0].strip()
    return [*(value.strip() for value in values), *request.query.get(CREDENTIAL_PARAMETER, "").split(",")]
