"""The simulated account together with what happens in it by itself."""

from tollgate_sandbox.payments.due import next_task, run_until
from tollgate_sandbox.stripe.due import waiting
from tollgate_sandbox.stripe.world import World


class Simulator(World):
    """A world whose time can be moved."""

    def run_due(self, until: int) -> None:
        """Do what happens by itself up to then."""
        world: World = self
        run_until(world, until, waiting)

    def is_due(self) -> bool:
        """Whether something waits to happen by itself."""
        return next_task(waiting(self), self.now()) is not None
