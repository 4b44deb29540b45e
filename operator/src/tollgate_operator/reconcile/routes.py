"""Routes that collide: two endpoints that would answer the same host, method and path."""

import re
from collections.abc import Iterator

from tollgate_core.errors import Problem
from tollgate_core.manifests import API, Endpoint
from tollgate_core.manifests.api import PATH_PARAMETER
from tollgate_operator.reconcile.index import Index, age


def full_path(api: API, endpoint: Endpoint) -> str:
    """The path on the gateway, with parameters."""
    return api.spec.path_prefix.rstrip("/") + endpoint.path


def path_pattern(path: str) -> str:
    """A regular expression (RE2 and Python) with a named group for each parameter, which never spans a slash.

    A parameter before a literal suffix, as in ``{model}:generateContent``, ends where the suffix begins.
    """
    pieces: list[str] = []
    position = 0
    for match in PATH_PARAMETER.finditer(path):
        pieces += [re.escape(path[position : match.start()]), f"(?P<{match[1]}>[^/]+)"]
        position = match.end()
    return "".join(pieces) + re.escape(path[position:])


def check_routes(index: Index, settled: set[str]) -> Iterator[tuple[str, Problem]]:
    """(API, problem) for the younger of two that collide. Without an age, as on a laptop, APIs in ``settled`` serve
    already and win over new ones."""
    taken: dict[tuple[str, str, str], str] = {}
    for api in sorted(
        index.of_kind(API), key=lambda a: (age(a)[:2], a.qualified_name not in settled, a.qualified_name)
    ):
        for i, endpoint in enumerate(api.spec.endpoints):
            shape = PATH_PARAMETER.sub("{}", full_path(api, endpoint))
            for host in api.spec.hostnames:
                owner = taken.setdefault((host, endpoint.method, shape), f"{api.qualified_name}/{endpoint.name}")
                if owner != f"{api.qualified_name}/{endpoint.name}":
                    message = f"{endpoint.method} {host}{full_path(api, endpoint)} is already the endpoint {owner}"
                    yield api.qualified_name, Problem(f"spec.endpoints[{i}].path", message)
