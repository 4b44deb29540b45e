"""Accounts at payment providers as their owners and customers use them: the contract suite knows no more of them."""

from typing import Any, Literal, Protocol

import httpx

from tests.integration.payments.account import PaddleAccount, StripeAccount
from tests.unit.billing.desk import PROVIDER, Desk
from tollgate_billing.payments.debts import find_debt
from tollgate_billing.payments.port import ProviderPort
from tollgate_billing.payments.providers.manual import ManualPort
from tollgate_billing.payments.received import MANUAL, Payment, paid_for, payments_of, record_payment
from tollgate_core.catalog import PaymentProvider

GOOD, SAVED_AND_DECLINED = "4242424242424242", "4000000000000341"
#: Its bank asks its owner; at Stripe's again at every charge.
ASKS = {"stripe": "4000002760003184", "paddle": "4000003800000446"}


class Shop(Protocol):
    """``port`` is what billing uses; everything else is what people do, on pages or by hand. ``subject`` is a statement
    or a top-up that billing has collected, or tried to."""

    kind: Literal["stripe", "paddle", "manual"]
    port: ProviderPort

    def check_out(self, url: str, card: str = GOOD) -> None:
        """A customer gives a card on the checkout's page."""
        ...

    def pay(self, desk: Desk, subject: str) -> None:
        """A customer pays what is open, on the invoice's page with a good card, or by a transfer."""
        ...

    def take_back(self, desk: Desk, subject: str) -> None:
        """The customer's bank takes all of it back."""
        ...

    def give_again(self, desk: Desk, subject: str) -> None:
        """And the owner gets it again."""
        ...

    def collected(self, desk: Desk) -> int:
        """Minor units that came in and stayed, by the provider's books."""
        ...


class CardShop(Shop, Protocol):
    """Those that charge by themselves."""

    def give_back(self, desk: Desk, subject: str, minor: int) -> None:
        """The owner refunds in the provider's dashboard."""
        ...

    def void(self, desk: Desk, subject: str) -> None:
        """The owner voids an open one in the dashboard."""
        ...

    def forget_customer(self, desk: Desk) -> None:
        """The owner deletes whom billing knows."""
        ...


def agree(browser: httpx.Client, answer: httpx.Response) -> None:
    """Whose bank asks says yes."""
    assert answer.status_code in {200, 303}, answer.text
    page = answer.headers.get("location", "")
    if "/authenticate/" in page:
        assert browser.post(page, data={"answer": "agree"}).status_code in {200, 303}


def reference_of(desk: Desk, subject: str) -> str:
    """What the provider calls the invoice."""
    receivable = desk.receivable_of(subject)
    assert receivable
    assert receivable.reference
    return receivable.reference


def provider_of(kind: Literal["stripe", "paddle", "manual"]) -> PaymentProvider:
    """As the catalog has it."""
    return PaymentProvider(name=PROVIDER, kind=kind)


class ManualShop:
    """Somebody who looks at his bank's account."""

    kind: Literal["stripe", "paddle", "manual"] = "manual"

    def __init__(self) -> None:
        self.port: ProviderPort = ManualPort()

    def check_out(self, url: str, card: str = GOOD) -> None:
        assert url.startswith("http://127.0.0.1:1/done"), "nothing is asked of him"

    def pay(self, desk: Desk, subject: str) -> None:
        self._transfer(desk, subject, 1)

    def take_back(self, desk: Desk, subject: str) -> None:
        self._transfer(desk, subject, -1)

    def give_again(self, desk: Desk, subject: str) -> None:
        self._transfer(desk, subject, 1)

    def collected(self, desk: Desk) -> int:
        with desk.database.read() as connection:
            return sum(paid_for(connection, [statement.id for statement in desk.statements()]).values())

    @staticmethod
    def _transfer(desk: Desk, subject: str, sign: int) -> None:
        with desk.database.write() as connection:
            debt = find_debt(connection, subject)
            assert debt
            paid = paid_for(connection, [subject]).get(subject, 0)
            payment = Payment(
                id=f"{subject}.{len(payments_of(connection, subject))}",
                subject=subject,
                subscription=debt.subscription,
                customer=debt.customer,
                provider=MANUAL,
                reference="",
                minor=debt.due_minor - paid if sign > 0 else -paid,
                currency=debt.currency,
                at_ms=desk.now_ms,
                recorded_ms=desk.now_ms,
            )
            record_payment(connection, debt, payment)
            desk.dunning.judge(connection, debt.subscription)


class StripeShop:
    """At the simulated Stripe."""

    kind: Literal["stripe", "paddle", "manual"] = "stripe"

    def __init__(self, account: StripeAccount) -> None:
        account.reset()
        self.account = account
        self.port: ProviderPort = account.port
        self._browser = account.control

    def check_out(self, url: str, card: str = GOOD) -> None:
        form = {"number": card, "expiry": "12 / 40", "cvc": "123", "name": "Ada Lovelace", "country": "de"}
        agree(self._browser, self._browser.post(url, data=form))

    def pay(self, desk: Desk, subject: str) -> None:
        receivable = desk.receivable_of(subject)
        assert receivable
        form = {"number": GOOD, "expiry": "12 / 40", "cvc": "123", "name": "Ada Lovelace", "country": "de"}
        answer = self._browser.post(receivable.url, data=form)
        assert answer.status_code == 303, answer.text

    def take_back(self, desk: Desk, subject: str) -> None:
        self._act(f"charges/{self._charge(desk, subject)}/dispute")

    def give_again(self, desk: Desk, subject: str) -> None:
        (dispute,) = self.account.client.disputes.list({"charge": self._charge(desk, subject)}).data
        self._act(f"disputes/{dispute.id}/win")

    def collected(self, desk: Desk) -> int:
        del desk
        disputes = self.account.client.disputes.list({"limit": 100}).data
        return self.account.collected() - sum(dispute.amount for dispute in disputes if dispute.status != "won")

    def give_back(self, desk: Desk, subject: str, minor: int) -> None:
        self._act(f"charges/{self._charge(desk, subject)}/refund", amount=f"{minor}")

    def void(self, desk: Desk, subject: str) -> None:
        self._act(f"invoices/{reference_of(desk, subject)}/void")

    def forget_customer(self, desk: Desk) -> None:
        for customer in self.account.client.customers.list().data:
            self._act(f"customers/{customer.id}/delete")

    def _act(self, action: str, **form: Any) -> None:
        answer = self._browser.post(f"/dashboard/{action}", data=form)
        assert answer.status_code == 303, answer.text

    def _charge(self, desk: Desk, subject: str) -> str:
        reference = reference_of(desk, subject)
        (payment,) = self.account.client.invoice_payments.list({"invoice": reference, "status": "paid"}).data
        intent = payment.payment.payment_intent
        assert isinstance(intent, str)
        return self.account.client.charges.list({"payment_intent": intent}).data[0].id


class PaddleShop:
    """At the simulated Paddle."""

    kind: Literal["stripe", "paddle", "manual"] = "paddle"

    def __init__(self, account: PaddleAccount) -> None:
        self.account = account
        self.port: ProviderPort = account.port
        self._browser = account.control

    def check_out(self, url: str, card: str = GOOD) -> None:
        form = {"number": card, "expiry": "12 / 40", "cvc": "123", "name": "Ada Lovelace", "country": "DE"}
        agree(self._browser, self._browser.post(url, data={**form, "email": "ada@example.com"}))

    def pay(self, desk: Desk, subject: str) -> None:
        receivable = desk.receivable_of(subject)
        assert receivable
        assert receivable.url
        self.check_out(receivable.url)

    def take_back(self, desk: Desk, subject: str) -> None:
        self._act(f"transactions/{reference_of(desk, subject)}/chargeback")

    def give_again(self, desk: Desk, subject: str) -> None:
        made = self.account.raw(f"/adjustments?transaction_id={reference_of(desk, subject)}")
        (chargeback,) = [one for one in made if one["action"] == "chargeback"]
        self._act(f"adjustments/{chargeback['id']}/reverse")

    def collected(self, desk: Desk) -> int:
        del desk
        came = sum(
            int(payment["amount"])
            for transaction in self.account.raw("/transactions?per_page=200")
            for payment in transaction["payments"]
            if payment["status"] == "captured"
        )
        signs = {"refund": -1, "chargeback": -1, "chargeback_reverse": 1}
        made = self.account.raw("/adjustments?per_page=50")
        return came + sum(signs[one["action"]] * int(one["totals"]["total"]) for one in made)

    def give_back(self, desk: Desk, subject: str, minor: int) -> None:
        self._act(f"transactions/{reference_of(desk, subject)}/refund", amount=f"{minor}")

    def void(self, desk: Desk, subject: str) -> None:
        self._act(f"transactions/{reference_of(desk, subject)}/cancel")

    def forget_customer(self, desk: Desk) -> None:
        for subscription in self.account.raw("/subscriptions"):
            self._act(f"subscriptions/{subscription['id']}/cancel")

    def _act(self, action: str, **form: Any) -> None:
        answer = self._browser.post(f"/dashboard/{action}", data=form)
        assert answer.status_code == 303, answer.text
