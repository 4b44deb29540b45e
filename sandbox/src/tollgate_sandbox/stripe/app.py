"""The ASGI application of the simulated Stripe."""

from starlette.routing import Route

from tollgate_sandbox.payments.app import PaymentApp
from tollgate_sandbox.payments.settings import PaymentSettings
from tollgate_sandbox.stripe.api import Api
from tollgate_sandbox.stripe.pages.routes import page_routes
from tollgate_sandbox.stripe.simulator import Simulator
from tollgate_sandbox.stripe.table import OPERATIONS


class StripeApp(PaymentApp):
    """A simulated account behind HTTP."""

    def __init__(self, settings: PaymentSettings) -> None:
        simulator = Simulator(settings)
        api = Api(simulator, OPERATIONS)
        everything = Route("/v1/{rest:path}", api.__call__, methods=["GET", "POST", "DELETE", "PUT", "PATCH"])
        super().__init__(simulator, [*page_routes(simulator), everything], api.ignored)
