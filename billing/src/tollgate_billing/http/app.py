"""The application: routes under their authentication."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI

from tollgate_billing.http import problems
from tollgate_billing.http.auth import require_admin
from tollgate_billing.http.changes import ending_routes, migration_routes, plan_routes
from tollgate_billing.http.checkouts import checkout_routes, portal_routes
from tollgate_billing.http.credit_notes import credit_note_routes
from tollgate_billing.http.customer import customer_routes
from tollgate_billing.http.explanations import explanation_routes
from tollgate_billing.http.limits import limit_routes
from tollgate_billing.http.operations import operations_routes
from tollgate_billing.http.outbox import outbox_routes
from tollgate_billing.http.payment_providers import payment_provider_routes
from tollgate_billing.http.payments import payment_routes
from tollgate_billing.http.provider import letter_routes, usage_routes
from tollgate_billing.http.quotes import quote_routes
from tollgate_billing.http.reconciliation import reconciliation_routes
from tollgate_billing.http.refunds import refund_routes
from tollgate_billing.http.services import Services
from tollgate_billing.http.statements import margin_routes, statement_routes
from tollgate_billing.http.subscriptions import key_routes, subscription_routes
from tollgate_billing.http.top_ups import automatic_routes, notification_routes, top_up_routes
from tollgate_billing.http.wallets import wallet_routes
from tollgate_billing.http.webhooks import webhook_routes


def build_app(services: Services, on_serving: Callable[[], None] | None = None) -> FastAPI:
    """``on_serving`` is called once requests are answered."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        del app
        if on_serving:
            on_serving()
        yield

    app = FastAPI(title="Tollgate billing", version="1", lifespan=lifespan, docs_url=None, redoc_url=None)
    problems.install(app)
    admin = [Depends(require_admin(services))]
    for router in (
        usage_routes(services),
        letter_routes(services),
        key_routes(services),
        statement_routes(services),
        margin_routes(services),
        explanation_routes(services),
        quote_routes(services),
        plan_routes(services),
        migration_routes(services),
        ending_routes(services),
        wallet_routes(services),
        limit_routes(services),
        top_up_routes(services),
        automatic_routes(services),
        notification_routes(services),
        credit_note_routes(services),
        payment_routes(services),
        payment_provider_routes(services),
        outbox_routes(services),
        checkout_routes(services),
        portal_routes(services),
        refund_routes(services),
        reconciliation_routes(services),
        subscription_routes(services),
    ):
        app.include_router(router, prefix="/v1", dependencies=admin)
    app.include_router(customer_routes(services), prefix="/v1")
    app.include_router(webhook_routes(services), prefix="/v1")
    app.include_router(operations_routes(services))
    return app
