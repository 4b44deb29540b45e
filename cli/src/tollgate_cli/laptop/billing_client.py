"""The provider API of billing, as the commands use it."""

from typing import Any
from urllib.parse import quote

import httpx

from tollgate_cli.errors import CommandError


class BillingClient:
    """Raises CommandError with the server's own explanation."""

    def __init__(self, url: str, token: str) -> None:
        self._http = httpx.Client(base_url=url, headers={"authorization": f"Bearer {token}"}, timeout=30)

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def get(self, path: str, **parameters: Any) -> Any:
        """The decoded answer."""
        return self._call("GET", path, params={k: v for k, v in parameters.items() if v is not None})

    def post(self, path: str, body: Any = None) -> Any:
        """The decoded answer."""
        return self._call("POST", path, json=body)

    def _call(self, method: str, path: str, **more: Any) -> Any:
        try:
            response = self._http.request(method, path, **more)
        except httpx.HTTPError as error:
            raise CommandError(f"Billing does not answer at {self._http.base_url}: {error}") from error
        if response.is_error:
            raise CommandError(f"{method} {path}: {response.status_code} {response.text[:500]}")
        return response.json()

    def delete(self, path: str) -> Any:
        """The decoded answer."""
        return self._call("DELETE", path)

    def create_key(self, subscription: str) -> str:
        """A new API key, in plain text; it can be had only now."""
        return str(self.post(f"/v1/subscriptions/{quote(subscription, safe='')}/keys", {"label": "laptop"})["key"])

    def invoice(self, subscription: str) -> dict[str, Any]:
        """The running invoice."""
        answer: dict[str, Any] = self.get(f"/v1/subscriptions/{quote(subscription, safe='')}/invoice")
        return answer
