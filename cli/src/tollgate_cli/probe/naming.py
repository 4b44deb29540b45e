"""Which model is called, and what stands in a path's parameters."""

import re
from collections.abc import Mapping
from urllib.parse import quote, urlsplit

from tollgate_cli.errors import CommandError
from tollgate_cli.probe.bodies import UNKNOWN_MODEL
from tollgate_cli.probe.target import Target
from tollgate_core.manifests.api import PATH_PARAMETER

ANNOTATION = "tollgate.dev/probe-model"
#: Providers' own names for their present small model; a format alone says nothing, as many servers speak each.
_OF_HOST = {
    "api.deepseek.com": "deepseek-chat",
    "api.mistral.ai": "mistral-small-latest",
    "generativelanguage.googleapis.com": "gemini-flash-latest",
}
_OF_SIMULATED = {
    "anthropic_messages": "claude-example",
    "gemini": "gemini-2.5-flash",
    "ollama": "llama3.3",
    "deepseek": "deepseek-chat",
    "mistral": "mistral-small-latest",
}
_MODEL_PARAMETERS = frozenset({"model", "deployment"})
_LITERAL_DEPLOYMENT = re.compile(r"/deployments/([^/{}]+)/")
_DEFAULT_PARAMETERS = {"version": "v1beta"}


def model_of(target: Target, given: str | None) -> str:
    """The given one, else what the manifest or the upstream's own host says. Raises CommandError that asks for one."""
    if given:
        return given
    if target.plan.format is None:
        return ""
    literal = _LITERAL_DEPLOYMENT.search(target.plan.endpoint.path)
    found = (
        target.api.metadata.annotations.get(ANNOTATION)
        or (literal and literal[1])
        or _OF_HOST.get(urlsplit(target.upstream.base).hostname or "")
        or (_OF_SIMULATED.get(target.plan.format.name, "gpt-5-mini") if target.upstream.simulated else None)
    )
    if not found:
        raise CommandError(
            f"Which model of {target.name} shall be called? Say it with --model, or in the API's annotation "
            f"{ANNOTATION}."
        )
    return found


def path_of(target: Target, model: str, parameters: Mapping[str, str], *, unknown: bool) -> str:
    """The path on the gateway. Raises CommandError where a parameter has no value."""
    model = UNKNOWN_MODEL if unknown else model

    def value(match: re.Match[str]) -> str:
        name = match[1]
        found = model if name in _MODEL_PARAMETERS else None
        found = parameters.get(name) or found or _DEFAULT_PARAMETERS.get(name)
        if unknown and name in _MODEL_PARAMETERS:
            found = model
        if not found:
            raise CommandError(f"What is {{{name}}} in the path of {target.name}? Say it with --param {name}=…")
        return quote(found, safe="")

    return PATH_PARAMETER.sub(value, target.plan.endpoint.path)
