"""A key is used once its account is known to be the one that the name always stood for; what is found is said."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.integration.payments.account import PADDLE_KEY, PADDLE_SECRET, PaddleAccount, StripeAccount, stripe_account
from tests.unit.billing.desk import PROVIDER, desk_with_a_fee
from tests.unit.sandbox_paddle.builders import price, transaction
from tollgate_billing.health import Health
from tollgate_billing.ledger.database import Database
from tollgate_billing.payments.accounts import Checker
from tollgate_billing.payments.following import Follower
from tollgate_billing.payments.registry import Registry
from tollgate_billing.payments.sending import Sender
from tollgate_core.catalog import Catalog, PaymentProvider
from tollgate_core.payment_keys import PaymentKeys, keys_file

KEY, OTHER_KEY, LIVE_KEY = "sk_test_canary", "sk_test_canary_next", "sk_live_canary"
NAME = "team/shop"


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StripeAccount]:
    """One that takes two keys."""
    with stripe_account(tmp_path_factory.mktemp("stripe"), "--key", OTHER_KEY) as account:
        yield account


@dataclass
class Till:
    """Billing's part, driven by hand; ``folder`` is what a Secret would be mounted as."""

    database: Database
    folder: Path
    url: str
    name: str = NAME
    now_ms: int = 1_800_000_000_000
    health: Health = field(default_factory=Health)

    def __post_init__(self) -> None:
        self.provider = PaymentProvider(name=self.name, kind="stripe", api_url=self.url)
        self.restart()

    def restart(self) -> None:
        self.registry = Registry(lambda: Catalog(payment_providers=(self.provider,)), self.folder)
        self.checker = Checker(self.database, self.registry, lambda: self.now_ms, self.health)

    def put(self, key: str, *secrets: str) -> None:
        (self.folder / keys_file(self.name)).write_text(PaymentKeys(key, secrets or ("whsec_canary",)).encode())

    def said(self) -> tuple[str, str, str, str]:
        (outcome,) = self.checker.outcomes()
        return outcome.reason, outcome.message, outcome.account, outcome.mode

    def used(self) -> bool:
        return self.name in self.checker.admitted()


@pytest.fixture
def till(simulated: StripeAccount, sqlite: Database, tmp_path: Path) -> Till:
    simulated.reset()
    return Till(sqlite, tmp_path, simulated.url)


def test_a_key_is_used_once_its_account_is_known(till: Till) -> None:
    assert till.checker.tick() == 1
    assert till.said()[0] == "KeysMissing"
    till.put(KEY)
    assert (till.said()[0], till.used()) == ("Pending", False)
    assert till.checker.tick() == 1
    assert till.said() == ("Synced", "Simulated account (acct_simulated) in test mode", "acct_simulated", "test")
    assert (till.used(), till.health.troubles()) == (True, {})
    assert till.checker.tick() == 0, "not before ten minutes"
    till.now_ms += 600_000
    assert till.checker.tick() == 1


def test_a_rotated_key_of_the_same_account_goes_on(till: Till) -> None:
    till.put(KEY)
    till.checker.tick()
    till.put(OTHER_KEY, "whsec_canary_new", "whsec_canary")
    assert not till.used()
    till.checker.tick()
    assert (till.said()[0], till.used()) == ("Synced", True)
    (till.folder / keys_file(NAME)).unlink()
    till.checker.tick()
    assert (till.said()[0], till.used()) == ("KeysMissing", False)


def test_a_key_of_the_other_mode_is_shown_to_nobody(till: Till, simulated: StripeAccount) -> None:
    till.put(KEY)
    till.checker.tick()
    till.put(LIVE_KEY)
    simulated.fault("status", "/v1/account")
    till.checker.tick()
    reason, message, account, mode = till.said()
    assert (reason, account, mode) == ("AccountChanged", "acct_simulated", "test")
    assert message == (
        "PaymentProvider team/shop was account acct_simulated in test mode and its key is now of live mode: "
        "make another PaymentProvider"
    )
    assert (till.used(), till.health.troubles()) == (False, {"payment account team/shop": message})
    assert not till.health.is_ours("payment account team/shop")
    assert simulated.faults_left() == 1, "the key was not shown to anybody"
    till.restart()
    till.checker.tick()
    assert (till.said()[0], till.used()) == ("AccountChanged", False)
    till.put(KEY)
    simulated.control.delete("/sandbox/faults")
    till.checker.tick()
    assert (till.said()[0], till.used(), till.health.troubles()) == ("Synced", True, {})


def test_a_key_of_another_account_is_not_used(till: Till, tmp_path_factory: pytest.TempPathFactory) -> None:
    till.put(KEY)
    till.checker.tick()
    with stripe_account(tmp_path_factory.mktemp("other"), "--account", "acct_other") as other:
        till.provider = PaymentProvider(name=NAME, kind="stripe", api_url=other.url)
        till.checker.tick()
    assert till.said()[0] == "AccountChanged"
    assert "is now of account acct_other in test mode" in till.said()[1]
    assert not till.used()


def test_a_key_that_is_revoked_is_said_at_the_next_look_and_at_the_next_call(
    till: Till, simulated: StripeAccount
) -> None:
    till.put(KEY)
    till.checker.tick()
    simulated.control.post("/sandbox/keys", json={"revoke": KEY}).raise_for_status()
    assert till.checker.tick() == 0
    follower = Follower(
        till.database, till.checker.admitted, lambda: till.now_ms, till.health, suspect=till.checker.suspect
    )
    follower.tick()
    assert till.checker.tick() == 1
    assert (till.said()[0], *till.said()[2:]) == ("Unauthorized", "acct_simulated", "test")
    assert "does not accept the API key" in till.said()[1]
    simulated.control.post("/sandbox/keys", json={"restore": KEY}).raise_for_status()
    till.now_ms += 30_000
    assert till.checker.tick() == 1
    assert till.said()[0] == "Synced"


def test_a_sender_whose_key_is_refused_says_so(till: Till, simulated: StripeAccount) -> None:
    till.name = PROVIDER
    till.__post_init__()
    desk = desk_with_a_fee(till.database, {})
    till.put(KEY)
    till.now_ms = desk.now_ms
    till.checker.tick()
    simulated.control.post("/sandbox/keys", json={"revoke": KEY}).raise_for_status()
    sender = Sender(
        till.database, till.checker.admitted, lambda: till.now_ms, till.health, suspect=till.checker.suspect
    )
    assert sender.tick() == 1
    till.checker.tick()
    assert till.said()[0] == "Unauthorized"


def test_a_provider_that_is_away_is_asked_again_soon(till: Till, simulated: StripeAccount) -> None:
    till.put(KEY)
    simulated.fault("status", "/v1/account")
    till.checker.tick()
    assert (till.said()[0], till.used()) == ("Unreachable", False)
    till.now_ms += 30_000
    till.checker.tick()
    assert (till.said()[0], till.used()) == ("Synced", True)
    simulated.fault("status", "/v1/account")
    till.now_ms += 600_000
    till.checker.tick()
    assert (till.said()[0], till.used()) == ("Unreachable", True), "what is known of the key still is"


def test_manual_and_paddle(till: Till, paddle: PaddleAccount) -> None:
    till.provider = PaymentProvider(name=NAME, kind="manual")
    assert till.used()
    till.checker.tick()
    assert (till.said()[0], till.used()) == ("Synced", True)
    till.provider = PaymentProvider(name="team/paddle", kind="paddle", sandbox=True, api_url=paddle.url)
    till.name = "team/paddle"
    till.put(PADDLE_KEY, PADDLE_SECRET)
    till.checker.tick()
    assert (till.said()[0], till.said()[3], till.used()) == ("Synced", "test", True)
    till.put(PADDLE_KEY.replace("sdbx", "live"), PADDLE_SECRET)
    till.checker.tick()
    assert not till.used()


def test_an_account_at_paddle_is_told_by_its_oldest_transaction(till: Till, paddle: PaddleAccount) -> None:
    """Paddle does not say whose key it is."""
    till.provider = PaymentProvider(name=NAME, kind="paddle", sandbox=True, api_url=paddle.url)
    till.put(PADDLE_KEY, PADDLE_SECRET)
    till.checker.tick()
    assert till.said() == ("Synced", "an empty account in test mode", "", "test")
    for _ in range(2):
        transaction(paddle.client, price(paddle.client))
        till.now_ms += 600_000
        till.checker.tick()
    (oldest, _) = sorted(one["id"] for one in paddle.raw("/transactions"))
    assert till.said() == ("Synced", f"{oldest} in test mode", oldest, "test")
    paddle.reset()
    till.restart()
    till.checker.tick()
    assert (till.said()[0], till.used()) == ("AccountChanged", False)


def test_files_are_read_where_they_changed(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a kubelet changes them: a link that leads to another folder."""
    for number, key in enumerate((KEY, OTHER_KEY)):
        (till.folder / f"..{number}").mkdir()
        (till.folder / f"..{number}" / keys_file(NAME)).write_text(PaymentKeys(key, ("whsec_canary",)).encode())
    (till.folder / "..data").symlink_to("..0")
    (till.folder / keys_file(NAME)).symlink_to(f"..data/{keys_file(NAME)}")
    reads: list[Path] = []
    read_bytes = Path.read_bytes

    def counted(path: Path) -> bytes:
        reads.append(path)
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", counted)
    ports: list[Any] = [till.registry()[0].port for _ in range(3)]
    assert (len(reads), len(set(map(id, ports)))) == (1, 1)
    (till.folder / "..next").symlink_to("..1")
    os.replace(till.folder / "..next", till.folder / "..data")
    ports += [till.registry()[0].port for _ in range(3)]
    assert (len(reads), len(set(map(id, ports)))) == (2, 2)


def test_no_key_is_in_what_is_said(till: Till, simulated: StripeAccount) -> None:
    said: list[object] = []
    with capture_logs() as logs:
        for key in (KEY, LIVE_KEY, "sk_test_canary_unknown", "nonsense canary"):
            till.put(key)
            till.checker.tick()
            said += [*till.checker.outcomes(), till.health.troubles(), till.registry()]
    assert "canary" not in json.dumps([*logs, *said], default=repr)
