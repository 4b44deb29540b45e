"""Pages, expansion and search."""

from typing import Any

import pytest
import stripe

from tests.unit.sandbox_stripe.builders import customer, draft


def test_all_pages_newest_first(api: Any) -> None:
    ids = [api.customers.create({"name": str(number)}).id for number in range(7)]
    assert [one.id for one in api.customers.list({"limit": 3}).auto_paging_iter()] == ids[::-1]
    page = api.customers.list({"limit": 2, "ending_before": ids[2]})
    assert ([one.id for one in page], page.has_more) == ([ids[4], ids[3]], True)
    after = api.customers.list({"starting_after": ids[2]})
    assert ([one.id for one in after], after.has_more) == ([ids[1], ids[0]], False)
    for wrong in (
        {"limit": 0},
        {"limit": 101},
        {"starting_after": "cus_x"},
        {"starting_after": ids[0], "ending_before": ids[1]},
    ):
        with pytest.raises(stripe.InvalidRequestError):
            api.customers.list(wrong)


def test_invoices_by_customer_status_and_time(api: Any) -> None:
    one, other = customer(api), customer(api)
    first, second = draft(api, one, 100), draft(api, other, 100)
    api.invoices.finalize_invoice(first.id)
    assert [found.id for found in api.invoices.list({"customer": one.id})] == [first.id]
    assert [found.id for found in api.invoices.list({"status": "draft"})] == [second.id]
    assert api.invoices.list({"created": {"lt": first.created}}).data == []
    assert len(api.invoices.list({"created": {"gte": first.created}}).data) == 2


def test_expansion_reaches_through_lists_and_objects(api: Any) -> None:
    invoice = draft(api, customer(api), 1000)
    api.invoices.finalize_invoice(invoice.id)
    api.invoices.pay(invoice.id)
    deep = api.invoices.list({"expand": ["data.customer", "data.payments.data.payment.payment_intent"]}).data[0]
    assert deep.customer.name == "Ada"
    assert deep.payments.data[0].payment.payment_intent.status == "succeeded"
    plain = api.invoices.retrieve(invoice.id)
    assert isinstance(plain.customer, str)
    assert not hasattr(plain, "payments")
    assert api.customers.retrieve(plain.customer, {"expand": ["tax"]}).tax.automatic_tax == "unrecognized_location"
    for wrong in ("colour", "customer.colour"):
        with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
            api.invoices.retrieve(invoice.id, {"expand": [wrong]})
    with pytest.raises(stripe.InvalidRequestError, match="4 levels"):
        api.invoices.retrieve(invoice.id, {"expand": ["a.b.c.d.e"]})


def test_an_expanded_customer_that_was_deleted_says_so(api: Any) -> None:
    owner = customer(api)
    invoice = draft(api, owner, 100)
    api.customers.delete(owner.id)
    assert api.invoices.retrieve(invoice.id, {"expand": ["customer"]}).customer.deleted


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("name:'ada'", ["Ada"]),
        ("name~'a'", ["Ada", "Grace"]),
        ("-name:'Ada'", ["Grace"]),
        ("metadata['team']:'red' AND email:'a@example.com'", ["Ada"]),
        ("name:'Ada' OR name:'Grace'", ["Ada", "Grace"]),
        ("metadata['none']:null", ["Ada", "Grace"]),
        ("created>100 AND created<=99999999999", ["Ada", "Grace"]),
        ("created<100", []),
    ],
)
def test_search(api: Any, query: str, found: list[str]) -> None:
    api.customers.create({"name": "Ada", "email": "a@example.com", "metadata": {"team": "red"}})
    api.customers.create({"name": "Grace", "email": "g@example.com", "metadata": {"team": "red"}})
    assert sorted(one.name for one in api.customers.search({"query": query})) == found


def test_search_has_pages_and_refuses_what_it_cannot_read(api: Any) -> None:
    for number in range(5):
        api.customers.create({"name": f"n{number}"})
    assert len(list(api.customers.search({"query": "name~'n'", "limit": 2}).auto_paging_iter())) == 5
    for wrong in ("name", "name:'a' AND email:'b' OR phone:'c'", "name:'a' AND"):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            api.customers.search({"query": wrong})
        assert refused.value.param == "query"
