"""``tollgate up`` speaks to no real payment provider that nobody asked it to."""

import copy
from pathlib import Path

import pytest

from tests.support.manifests import Document, example_documents, find, resource, write
from tollgate_billing.payments.registry import Configured, Registry
from tollgate_billing.settings import Settings
from tollgate_cli.errors import CommandError
from tollgate_cli.laptop.simulators import needed
from tollgate_core.catalog import Catalog, PaymentProvider
from tollgate_core.payment_keys import PaymentKeys, keys_file

SECRETS = ("whsec_0123456789",)


def documents() -> list[Document]:
    return copy.deepcopy(example_documents(payments=True))


def test_one_for_each_provider_of_the_examples(tmp_path: Path) -> None:
    found = list(needed(write(tmp_path, documents())))
    assert [provider.qualified_name for provider, _ in found] == ["paddle", "stripe"]


def test_none_where_an_address_is_given_where_keys_are_missing_and_where_you_collect(tmp_path: Path) -> None:
    changed = documents()
    find(changed, "PaymentProvider", "stripe")["spec"]["stripe"]["apiUrl"] = "http://127.0.0.1:1"
    find(changed, "Secret", "paddle-keys")["stringData"].pop("webhook")
    bank = resource("PaymentProvider", "bank", manual={})
    assert list(needed(write(tmp_path, [*changed, bank]))) == []


def test_a_live_key_is_refused_without_being_named(tmp_path: Path) -> None:
    changed = documents()
    find(changed, "Secret", "stripe-keys")["stringData"]["key"] = "sk_live_canary"
    with pytest.raises(CommandError, match=r"PaymentProvider stripe has a live key.*--real-payments") as refused:
        list(needed(write(tmp_path, changed)))
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize(
    ("key", "simulators", "problem"),
    [
        ("sk_test_x", {"shop": "http://127.0.0.1:1"}, ""),
        ("sk_test_x", {"other": "http://127.0.0.1:1"}, "no simulator runs for it"),
        ("sk_test_x", {}, "no simulator runs for it"),
        ("sk_live_x", {"shop": "http://127.0.0.1:1"}, "a live key is not used with a simulator"),
        ("sk_live_x", None, ""),
    ],
)
def test_what_is_edited_later_is_not_sent_to_the_real_one_either(
    key: str, simulators: dict[str, str] | None, problem: str, tmp_path: Path
) -> None:
    found = configured(tmp_path, PaymentProvider(name="shop", kind="stripe"), key, simulators)
    assert (found.port is None, problem in found.problem, bool(found.problem)) == (bool(problem), True, bool(problem))
    assert found.provider.api_url == ""
    named = PaymentProvider(name="shop", kind="stripe", api_url="http://127.0.0.1:2")
    assert configured(tmp_path, named, key, simulators).port is not None


def configured(folder: Path, provider: PaymentProvider, key: str, simulators: dict[str, str] | None) -> Configured:
    (folder / keys_file(provider.name)).write_text(PaymentKeys(key, SECRETS).encode())
    catalog = Catalog(payment_providers=(provider,))
    (found,) = Registry(lambda: catalog, folder, simulators)()
    return found


def test_settings_tell_none_from_not_set() -> None:
    names = ("REDIS_URL", "DATABASE_URL", "KEY_PEPPER", "ADMIN_TOKEN")
    needed_by_all = {f"TOLLGATE_{name}": "x" for name in names}
    name = "TOLLGATE_PAYMENT_SIMULATORS"
    assert Settings.from_environment(needed_by_all).payment_simulators is None
    assert Settings.from_environment({**needed_by_all, name: ""}).payment_simulators == {}
    given = Settings.from_environment({**needed_by_all, name: "a=http://x:1,n/b=http://x:2"})
    assert given.payment_simulators == {"a": "http://x:1", "n/b": "http://x:2"}
    with pytest.raises(ValueError, match=name):
        Settings.from_environment({**needed_by_all, name: "a"})
