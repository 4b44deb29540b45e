"""The simulated account together with what happens in it by itself."""

from tollgate_sandbox.stripe.due import run_until
from tollgate_sandbox.stripe.world import World


class Simulator(World):
    """A world whose time can be moved."""

    def run_due(self, until: int) -> None:
        """Do what happens by itself up to then."""
        run_until(self, until)
