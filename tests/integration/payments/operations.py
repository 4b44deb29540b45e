"""What billing asks of a provider, one operation at a time: what is there before, what is done, and how it must end."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import func, select

from tests.integration.payments.account import PaddleAccount
from tests.integration.payments.shops import GOOD, SAVED_AND_DECLINED, PaddleShop, StripeShop, provider_of
from tests.unit.billing.builders import apply_catalog, make_fee, make_price
from tests.unit.billing.desk import PROVIDER, Desk, collected_catalog
from tests.unit.billing.test_statements import DAY, MONTHS, START, use
from tollgate_billing.ledger.database import Database
from tollgate_billing.ledger.subscriptions import find_subscription
from tollgate_billing.ledger.tables import inbox
from tollgate_billing.ledger.verification import verify
from tollgate_billing.payments.checkouts import Checkout
from tollgate_billing.payments.port import ProviderError
from tollgate_billing.payments.providers.stripe.objects import CHECKOUT, SUBJECT, label
from tollgate_billing.payments.refunds import ask_for_refund

POLL_MS = 700_000
DUE = 5075


@dataclass
class Scene:
    """A shop, and billing beside it. ``subject`` is what the operation is about."""

    desk: Desk
    shop: StripeShop | PaddleShop
    subject: str = ""

    def rest(self, rounds: int = 3) -> None:
        """Until all that was asked for is done, and all that happened is known."""
        for _ in range(rounds):
            self.desk.now_ms += POLL_MS
            self.desk.send()
            self.desk.follower.tick()

    def close(self) -> None:
        use(self.desk.database, "a", START + DAY, "7")
        self.desk.close(MONTHS[0])
        self.subject = self.desk.statements()[0].id


Step = Callable[[Scene], None]


@dataclass(frozen=True)
class Operation:
    """``act`` is what is disturbed, and done again in the end. ``require`` looks at both books."""

    title: str
    prepare: Step
    act: Step
    require: Step


def scene_of(shop: StripeShop | PaddleShop, database: Database) -> Scene:
    prices = make_fee(in_arrears=True, amount="49"), make_price(per="1", included="0", amount="0.25")
    catalog = collected_catalog(*prices, provider=provider_of(shop.kind))
    apply_catalog(database, catalog, START)
    return Scene(Desk(database, {PROVIDER: shop.port}, catalog), shop)


def scene_at(kind: str, database: Database, request: pytest.FixtureRequest) -> Scene:
    """At the simulated provider of this kind, empty."""
    if kind == "stripe":
        return scene_of(StripeShop(request.getfixturevalue("account")), database)
    return scene_of(PaddleShop(request.getfixturevalue("paddle")), database)


def nobody_known(scene: Scene) -> None:
    scene.close()


def with_card(card: str = GOOD) -> Step:
    def prepare(scene: Scene) -> None:
        scene.shop.check_out(scene.desk.check_out().url, card)
        scene.rest()

    return prepare


def closed_with_card(scene: Scene) -> None:
    with_card()(scene)
    scene.close()


def after_an_offer(scene: Scene) -> None:
    """It waits to be paid on its page, and its customer has given a card meanwhile."""
    scene.close()
    scene.rest()
    scene.shop.check_out(scene.desk.check_out().url)
    scene.desk.now_ms += POLL_MS


def after_a_decline(scene: Scene) -> None:
    """And its customer has given another card meanwhile."""
    with_card(SAVED_AND_DECLINED)(scene)
    scene.close()
    scene.rest()
    scene.shop.check_out(scene.desk.check_out("second").url)
    scene.desk.now_ms += POLL_MS


def topped_up(card: str, reason: Any = "customer") -> Step:
    def prepare(scene: Scene) -> None:
        with_card(card)(scene)
        scene.desk.pay_in("t1", 2500, reason)
        scene.subject = "top-up.t1"

    return prepare


def stale_top_up(scene: Scene) -> None:
    topped_up(SAVED_AND_DECLINED)(scene)
    scene.rest()
    scene.desk.now_ms += 2 * DAY


def refund_asked(scene: Scene) -> None:
    closed_with_card(scene)
    scene.rest()
    receivable = scene.desk.receivable_of(scene.subject)
    assert receivable
    with scene.desk.database.write() as connection:
        ask_for_refund(connection, receivable, "sorry", 1000, "an outage", scene.desk.now_ms)


def checkout_asked(scene: Scene) -> None:
    scene.shop.check_out(_newcomer(scene).url)
    scene.desk.now_ms += POLL_MS


def send(scene: Scene) -> None:
    scene.desk.send()


def follow(scene: Scene) -> None:
    scene.desk.follower.tick()


def follow_and_send(scene: Scene) -> None:
    scene.desk.follower.tick()
    scene.desk.send()


def check_out_new(scene: Scene) -> None:
    try:
        _newcomer(scene)
    except ProviderError:
        return  # whoever waits for the page asks again


def check_out_again(scene: Scene) -> None:
    try:
        scene.desk.check_out("second")
    except ProviderError:
        return


def _newcomer(scene: Scene) -> Checkout:
    product = scene.desk.catalog.products[0].name
    return scene.desk.check_out("c1", subscription="team/new", customer="newcomer", product=product)


def paid_once(scene: Scene) -> None:
    """Whoever was asked to pay on a page does so now."""
    desk, shop = scene.desk, scene.shop
    receivable = desk.receivable_of(scene.subject)
    assert receivable
    if receivable.status == "open":
        shop.pay(desk, scene.subject)
        scene.rest()
    (statement,) = desk.statements()
    assert (shop.collected(desk), desk.paid(statement), live_invoices(scene)) == (DUE, DUE, 1)


def credited_once(scene: Scene) -> None:
    desk, shop = scene.desk, scene.shop
    if desk.top_up("t1").state == "pending":
        shop.pay(desk, scene.subject)
        scene.rest()
    assert (shop.collected(desk), desk.credit(), desk.top_up("t1").state) == (2500, 2500, "paid")
    assert live_invoices(scene) == 1


def given_up(scene: Scene) -> None:
    desk = scene.desk
    assert (scene.shop.collected(desk), desk.credit(), desk.top_up("t1").state) == (0, 0, "failed")
    assert live_invoices(scene) == 0


def refunded_once(scene: Scene) -> None:
    receivable = scene.desk.receivable_of(scene.subject)
    assert receivable
    assert (scene.shop.collected(scene.desk), receivable.refunded_minor) == (DUE - 1000, 1000)


def one_page(scene: Scene) -> None:
    """And nothing has begun. Stripe's pages expire within a day."""
    found = scene.desk.checking_out.look("c1")
    assert found
    assert (found.status in {"open", "expired"}, checkouts_of(scene, "c1")) == (True, 1)


def one_page_for_another_card(scene: Scene) -> None:
    assert checkouts_of(scene, "second") == 1
    second = scene.desk.checking_out.look("second")
    assert second
    scene.shop.check_out(second.url if second.status == "open" else scene.desk.check_out("third").url)
    scene.rest()
    scene.close()
    scene.rest()
    paid_once(scene)


def begun_once(scene: Scene) -> None:
    found = scene.desk.checking_out.look("c1")
    assert found
    assert (found.status, found.problem, checkouts_of(scene, "c1")) == ("complete", "", 1)
    with scene.desk.database.read() as connection:
        assert find_subscription(connection, "team/new")


OPERATIONS = {
    "first statement": Operation("a statement, nobody known", nobody_known, send, paid_once),
    "statement": Operation("a statement, with a card", closed_with_card, send, paid_once),
    "new card": Operation("a card after an open invoice", after_an_offer, follow_and_send, paid_once),
    "another card": Operation("another card after a declined one", after_a_decline, follow_and_send, paid_once),
    "top-up": Operation("a top-up", topped_up(GOOD), send, credited_once),
    "declined top-up": Operation("a top-up that is declined", topped_up(SAVED_AND_DECLINED), send, credited_once),
    "automatic top-up": Operation("an automatic top-up", topped_up(GOOD, "automatic"), send, credited_once),
    "failed top-up": Operation(
        "an automatic one that is declined", topped_up(SAVED_AND_DECLINED, "automatic"), send, given_up
    ),
    "stale top-up": Operation("a top-up that nobody paid", stale_top_up, follow, given_up),
    "refund": Operation("a refund", refund_asked, send, refunded_once),
    "checkout": Operation("a checkout", lambda scene: None, check_out_new, one_page),
    "card change": Operation("a checkout for another card", with_card(), check_out_again, one_page_for_another_card),
    "completion": Operation("a checkout that is complete", checkout_asked, follow, begun_once),
}


def require_sound(scene: Scene) -> None:
    """Nothing waits for a person, nothing is half done."""
    desk = scene.desk
    assert desk.requests("stuck") == desk.requests("pending") == []
    with desk.database.read() as connection:
        assert verify(connection) == []
        query = select(func.count()).where(inbox.c.state == "stuck")
        assert connection.execute(query).scalar_one() == 0


def live_invoices(scene: Scene) -> int:
    """How many of the subject the provider has that were not withdrawn."""
    if isinstance(scene.shop, StripeShop):
        mine = (one for one in scene.shop.account.invoices() if label(one.metadata, SUBJECT) == scene.subject)
        return sum(one.status != "void" for one in mine)
    found = _transactions(scene.shop.account)
    return sum(one["status"] != "canceled" for one in found if scene.subject in f"{_marks(one)}")


def checkouts_of(scene: Scene, name: str) -> int:
    """How many pages the provider has for this one."""
    if isinstance(scene.shop, StripeShop):
        sessions = scene.shop.account.client.checkout.sessions.list({"limit": 100}).data
        return sum(label(one.metadata, CHECKOUT) == name for one in sessions)
    found = _transactions(scene.shop.account)
    return sum((one["custom_data"] or {}).get("tollgate_checkout") == name for one in found)


def _transactions(account: PaddleAccount) -> list[Any]:
    found: list[Any] = account.raw("/transactions?per_page=200")
    return found


def _marks(transaction: Any) -> list[Any]:
    return [transaction["custom_data"], *(item["price"]["custom_data"] for item in transaction["items"])]
