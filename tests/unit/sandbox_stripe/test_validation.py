"""Parameters are held against the SDK's own types."""

from typing import Any

import pytest
import stripe

from tests.unit.sandbox_stripe.builders import customer
from tests.unit.sandbox_stripe.conftest import Simulated
from tollgate_cli.laptop import loopback
from tollgate_sandbox.stripe.errors import StripeError
from tollgate_sandbox.stripe.forms import read_form
from tollgate_sandbox.stripe.params import check
from tollgate_sandbox.stripe.table import OPERATIONS


@pytest.mark.parametrize(
    ("params", "code", "param"),
    [
        ({"colour": "red"}, "parameter_unknown", "colour"),
        ({"address": {"town": "x"}}, "parameter_unknown", "address[town]"),
        ({"balance": "1.5"}, "parameter_invalid_integer", "balance"),
        ({"metadata": "x"}, "parameter_invalid_object", "metadata"),
        ({"preferred_locales": "de"}, "parameter_invalid_array", "preferred_locales"),
        ({"tax_exempt": "perhaps"}, None, "tax_exempt"),
        ({"metadata": {"k" * 41: "v"}}, None, "metadata[" + "k" * 41 + "]"),
        ({"payment_method": "pm_nobody"}, "resource_missing", "payment_method"),
    ],
)
def test_wrong_parameters_are_named(api: Any, params: dict[str, Any], code: str | None, param: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        api.customers.create(params)
    assert (refused.value.http_status, refused.value.code, refused.value.param) == (400, code, param)
    assert refused.value.request_id
    assert refused.value.request_id.startswith("req_")
    assert api.customers.list().data == []


def test_what_is_missing_is_named(api: Any) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        api.payment_intents.create({"amount": 100})
    assert (refused.value.code, refused.value.param) == ("parameter_missing", "currency")


def test_a_decimal_with_an_exponent_is_refused_and_plain_ones_have_twelve_places(api: Any) -> None:
    owner = customer(api, None)
    for wrong in ("1E-7", "0.1234567890123", "NaN"):
        with pytest.raises(stripe.InvalidRequestError, match="Invalid decimal"):
            api.invoice_items.create({"customer": owner.id, "unit_amount_decimal": wrong})
    item = api.invoice_items.create(
        {"customer": owner.id, "unit_amount_decimal": "0.123456789012", "quantity_decimal": "1000.5"}
    )
    assert str(item.pricing.unit_amount_decimal) == "0.123456789012"
    assert str(item.quantity_decimal) == "1000.5"
    assert item.amount == 124


def test_unknown_urls_and_objects_are_404(sim: Simulated, api: Any) -> None:
    with pytest.raises(stripe.InvalidRequestError) as missing:
        api.customers.retrieve("cus_nobody")
    assert (missing.value.http_status, missing.value.code, missing.value.param) == (404, "resource_missing", "id")
    with pytest.raises(stripe.InvalidRequestError) as unknown:
        api.coupons.list()
    assert unknown.value.http_status == 404
    assert "simulator" in str(unknown.value)


def test_options_of_the_request_are_no_parameters() -> None:
    with pytest.raises(StripeError, match="unknown parameter"):
        check({"idempotency_key": "x"}, stripe.params.CustomerCreateParams)


def test_forms_nest() -> None:
    assert read_form("a[0][b]=1&a[1][b]=2&m[k]=&e[]=x&e[]=y") == {
        "a": {"0": {"b": "1"}, "1": {"b": "2"}},
        "m": {"k": ""},
        "e": {"0": "x", "1": "y"},
    }
    for wrong in ("a=1&a=2", "a=1&a[b]=2", "[a]=1"):
        with pytest.raises(StripeError):
            read_form(wrong)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: f"{one.method} {one.path}")
def test_every_endpoint_refuses_what_its_type_does_not_know(operation: Any) -> None:
    with pytest.raises(StripeError) as refused:
        check({"no_such_parameter": "1"}, operation.shape)
    assert refused.value.code == "parameter_unknown"


def test_parameters_without_effect_are_told(sim: Simulated, api: Any) -> None:
    owner = customer(api, None)
    api.invoices.create({"customer": owner.id, "currency": "usd", "application_fee_amount": 5})
    assert "application_fee_amount" in sim.see("ignored")["POST /v1/invoices"]


def test_keys(sim: Simulated) -> None:
    for key, message in [
        ("sk_live_x", "simulator"),
        ("sk_test_other", "Invalid API Key"),
        ("nonsense", "Invalid API Key"),
    ]:
        with pytest.raises(stripe.AuthenticationError, match=message) as refused:
            sim.client(key).v1.customers.list()
        assert refused.value.http_status == 401
    assert loopback.get(f"{sim.url}/v1/customers").status_code == 401


def test_a_revoked_key_is_refused_until_it_is_restored(sim: Simulated, api: Any) -> None:
    sim.control("keys", revoke="sk_test_tollgate")
    with pytest.raises(stripe.AuthenticationError) as refused:
        api.customers.list()
    assert refused.value.error is not None
    assert refused.value.error.code == "api_key_expired"
    sim.control("keys", restore="sk_test_tollgate")
    assert api.customers.list().data == []
