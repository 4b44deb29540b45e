"""The provider API of billing, as the commands use it."""

import ssl
from typing import Any, cast
from urllib.parse import quote

import httpx

from tollgate_cli.errors import CommandError
from tollgate_cli.laptop.loopback import NO_AUTHORITIES

_LARGEST_PAGE = 1000
_SECONDS, _LONG_SECONDS = 30, 3600


def of_subscription(name: str, rest: str = "") -> str:
    """A path of the provider API; a name may hold a slash."""
    return f"/v1/subscriptions/{quote(name, safe='')}{rest}"


def explained(response: httpx.Response) -> str:
    """What a problem document (RFC 9457) says, with each field at fault; else the start of the text."""
    try:
        problem: object = response.json()
    except ValueError:
        return response.text[:300]
    if not isinstance(problem, dict):
        return response.text[:300]
    document = cast("dict[str, Any]", problem)
    parts = [str(document.get("detail") or document.get("title") or response.reason_phrase)]
    for error in document.get("errors") or ():
        field = str(error["field"]).removeprefix("body.").removeprefix("query.")
        parts.append(f"{field}: {error['message']}")
    return "; ".join(parts)


def _system_trust(url: str) -> bool | ssl.SSLContext:
    """Reading the authorities takes longer than the call, and without TLS there is nothing to trust."""
    return url.startswith("https:") or NO_AUTHORITIES


class BillingClient:
    """Raises CommandError with the server's own explanation."""

    def __init__(self, url: str, token: str, trust: ssl.SSLContext | None = None, name: str | None = None) -> None:
        """``trust`` is the system's if absent; ``name`` is the certificate's, where it is another than the URL's."""
        headers = {"authorization": f"Bearer {token}"}
        try:
            self._http = httpx.Client(
                base_url=url, headers=headers, timeout=_SECONDS, verify=trust or _system_trust(url)
            )
        except httpx.InvalidURL as error:
            raise CommandError(f"{url!r} is no URL of billing: {error}") from error
        self._extensions = {"sni_hostname": name} if name else {}

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def get(self, path: str, **parameters: Any) -> Any:
        """The decoded answer."""
        return self._call("GET", path, params={k: v for k, v in parameters.items() if v is not None})

    def text(self, path: str) -> str:
        """An answer that is no JSON."""
        return self._answer("GET", path).text

    def post(
        self, path: str, body: Any = None, *, patient: bool = False, if_match: str | None = None, **parameters: Any
    ) -> Any:
        """The decoded answer; ``patient`` where it takes minutes; ``if_match`` where it shall be done only if it is
        still what a preview with this fingerprint showed."""
        timeout = _LONG_SECONDS if patient else _SECONDS
        headers = {"if-match": f'"{if_match}"'} if if_match else {}
        return self._call("POST", path, json=body, params=parameters, timeout=timeout, headers=headers)

    def put(self, path: str, body: Any = None, **parameters: Any) -> Any:
        """The decoded answer."""
        return self._call("PUT", path, json=body, params=parameters)

    def _call(self, method: str, path: str, **more: Any) -> Any:
        response = self._answer(method, path, **more)
        try:
            return response.json() if response.content else {}
        except ValueError as error:
            raise CommandError(
                f"What answers at {self._http.base_url} is not billing: its answer is no JSON."
            ) from error

    def _answer(self, method: str, path: str, **more: Any) -> httpx.Response:
        try:
            response = self._http.request(method, path, extensions=self._extensions, **more)
        except httpx.HTTPError as error:
            raise CommandError(f"Billing does not answer at {self._http.base_url}: {error}") from error
        if not response.is_success:
            raise CommandError(f"{method} {path}: {response.status_code} {explained(response)}")
        return response

    def delete(self, path: str, **parameters: Any) -> Any:
        """The decoded answer."""
        return self._call("DELETE", path, params=parameters)

    def pages(self, path: str, items: str, **parameters: Any) -> list[dict[str, Any]]:
        """All items of a paged list."""
        found: list[dict[str, Any]] = []
        after = ""
        while True:
            page = self.get(path, after=after, limit=_LARGEST_PAGE, **parameters)
            found += page[items]
            if not page["next"]:
                return found
            after = page["next"]

    def create_key(self, subscription: str) -> str:
        """A new API key, in plain text; it can be had only now."""
        return str(self.post(f"/v1/subscriptions/{quote(subscription, safe='')}/keys", {"label": "laptop"})["key"])

    def invoice(self, subscription: str) -> dict[str, Any]:
        """The running invoice."""
        answer: dict[str, Any] = self.get(f"/v1/subscriptions/{quote(subscription, safe='')}/invoice")
        return answer
