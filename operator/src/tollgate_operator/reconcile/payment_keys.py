"""Keys of payment providers on their way to billing: what is wrong with them, and the files that hold them. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from tollgate_core.manifests import PaymentProvider, SecretKeyRef
from tollgate_core.payment_keys import (
    PaymentKeys,
    keys_file,
    paddle_key_problem,
    paddle_webhook_problem,
    stripe_key_problem,
    stripe_webhook_problem,
)
from tollgate_operator.reconcile.index import Index, provider_references
from tollgate_operator.reconcile.status import Condition, Status

#: Of all files together: a Secret holds a mebibyte.
LARGEST_BYTES = 900_000
INVALID = "InvalidSecret"
_TOO_MANY = "TooManyKeys"


@dataclass(frozen=True)
class KeyFiles:
    """``files`` by name, each of a provider whose keys are all there and look right. ``left_out``: qualified names of
    those that did not fit."""

    files: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    left_out: frozenset[str] = frozenset()


def invalid_value(provider: PaymentProvider, field: str, value: str) -> str:
    """What is wrong with the value that a field refers to; empty where nothing is seen to be."""
    if provider.spec.paddle is not None:
        of_key = partial(paddle_key_problem, environment=provider.spec.paddle.environment)
        return of_key(value) if field.endswith(".secretKeyRef") else paddle_webhook_problem(value)
    return stripe_key_problem(value) if field.endswith(".secretKeyRef") else stripe_webhook_problem(value)


def key_files(index: Index, largest: int = LARGEST_BYTES) -> KeyFiles:
    """Of all providers that serve, by name, so that who is there stays where a later one does not fit."""
    files: dict[str, str] = {}
    left_out: set[str] = set()
    size = 0
    for provider in index.of_kind(PaymentProvider):
        keys = _keys(provider, index)
        if keys is None:
            continue
        name, content = keys_file(provider.qualified_name), keys.encode()
        if size + len(name) + len(content.encode()) > largest:
            left_out.add(provider.qualified_name)
            continue
        size += len(name) + len(content.encode())
        files[name] = content
    return KeyFiles(files, frozenset(left_out))


def _keys(provider: PaymentProvider, index: Index) -> PaymentKeys | None:
    """None where one is missing that it cannot do without: the previous webhook secret is none of these."""
    values: list[str] = []
    for field_, reference, needed in provider_references(provider):
        value = _valid(provider, field_, reference, index)
        if value is not None:
            values.append(value)
        elif needed:
            return None
    return PaymentKeys(values[0], tuple(dict.fromkeys(values[1:]))) if values else None


def _valid(provider: PaymentProvider, field_: str, reference: SecretKeyRef, index: Index) -> str | None:
    value = index.secret_value(provider, reference)
    return None if value is None or invalid_value(provider, field_, value) else value


def say_left_out(
    statuses: Mapping[tuple[str, str], Status], files: KeyFiles
) -> Iterator[tuple[tuple[str, str], Status]]:
    """Statuses of those whose keys do not fit."""
    for name in files.left_out:
        key = (PaymentProvider.__name__, name)
        message = f"keys of all payment providers together must have at most {LARGEST_BYTES} bytes; its own do not fit"
        refused = Condition("ResolvedRefs", False, _TOO_MANY, message)
        status = statuses.get(key)
        if status is not None:
            kept = tuple(c for c in status.conditions if c.type != "ResolvedRefs")
            yield key, replace(status, conditions=(*kept, refused))
