"""Customers, addresses, businesses, products and prices."""

from typing import Any

import pytest
from paddle_billing.Entities.Shared import CountryCode, CurrencyCode, CustomData, Money, TaxCategory
from paddle_billing.Exceptions.ApiError import ApiError
from paddle_billing.Resources.Addresses.Operations import CreateAddress, UpdateAddress
from paddle_billing.Resources.Businesses.Operations import CreateBusiness
from paddle_billing.Resources.Customers.Operations import CreateCustomer, ListCustomers, UpdateCustomer
from paddle_billing.Resources.Prices.Operations import ListPrices, UpdatePrice
from paddle_billing.Resources.Products.Operations import CreateProduct, ListProducts
from paddle_billing.Resources.Shared.Operations import OrderBy, Pager

from tests.unit.sandbox_paddle.builders import customer, event_types, price, refusal


def test_an_email_belongs_to_one_customer_and_the_refusal_names_it(api: Any) -> None:
    first = customer(api)
    with pytest.raises(ApiError) as refused:
        customer(api, "ADA@example.com")
    assert refusal(customer, api) == (409, "customer_already_exists")
    assert refused.value.detail == f"customer email conflicts with customer of id {first.id}"
    assert [one.id for one in api.customers.list(ListCustomers(emails=["ada@example.com"]))] == [first.id]


def test_a_customer_is_changed_archived_and_searched(api: Any) -> None:
    made = customer(api)
    api.customers.update(made.id, UpdateCustomer(name=None, custom_data=CustomData({"org": "o1"})))
    found = api.customers.get(made.id)
    assert (found.name, found.custom_data.data, found.email) == (None, {"org": "o1"}, "ada@example.com")
    assert [one.id for one in api.customers.list(ListCustomers(search="ada@"))] == [made.id]
    api.customers.archive(made.id)
    assert list(api.customers.list()) == []
    assert event_types(api) == ["customer.created", "customer.updated", "customer.updated"]


def test_addresses_and_businesses_belong_to_their_customer(api: Any) -> None:
    ada, bob = customer(api), customer(api, "bob@example.com")
    address = api.addresses.create(ada.id, CreateAddress(CountryCode("DE"), city="Ulm"))
    api.addresses.update(ada.id, address.id, UpdateAddress(postal_code="89073"))
    found = api.addresses.get(ada.id, address.id)
    assert (found.city, found.postal_code, found.country_code.value) == ("Ulm", "89073", "DE")
    with pytest.raises(ApiError) as refused:
        api.addresses.get(bob.id, address.id)
    assert refused.value.error_code == "not_found"
    business = api.businesses.create(ada.id, CreateBusiness("Engines Ltd", tax_identifier="DE1"))
    assert [one.id for one in api.businesses.list(ada.id)] == [business.id]
    assert list(api.businesses.list(bob.id)) == []
    assert [one.id for one in api.addresses.list(ada.id)] == [address.id]


def test_prices_are_of_products_and_can_be_archived(api: Any) -> None:
    made = price(api, 900, custom_data=CustomData({"plan": "p"}))
    once = price(api, 5, cycle=None)
    assert (made.tax_mode.value, made.quantity.maximum, made.custom_data.data) == (
        "account_setting",
        100,
        {"plan": "p"},
    )
    assert [one.id for one in api.prices.list(ListPrices(recurring=True))] == [made.id]
    api.prices.update(made.id, UpdatePrice(unit_price=Money("950", CurrencyCode("EUR"))))
    assert api.prices.get(made.id).unit_price.amount == "950"
    api.prices.archive(made.id)
    assert [one.id for one in api.prices.list()] == [once.id]
    api.products.create(CreateProduct("Other", TaxCategory("standard")))
    assert len(list(api.products.list(ListProducts(tax_categories=[TaxCategory("saas")])))) == 2


def test_lists_come_in_pages_and_orders(api: Any) -> None:
    ids = [api.customers.create(CreateCustomer(f"{number}@example.com")).id for number in range(5)]
    page = api.customers.list(ListCustomers(Pager(per_page=2)))
    assert len(page.items) == 2
    assert [one.id for one in page] == ids
    order = OrderBy("email", "DESC")
    assert [one.id for one in api.customers.list(ListCustomers(Pager(order_by=order, per_page=2)))] == ids[::-1]
    assert [one.id for one in api.customers.list(ListCustomers(Pager(after=ids[3])))] == ids[4:]
    for wrong in (Pager(after="ctm_nobody"), Pager(order_by=OrderBy("id", "up")), Pager(per_page=0)):
        with pytest.raises(ApiError) as refused:
            api.customers.list(ListCustomers(wrong))
        assert refused.value.error_code == "bad_request"
