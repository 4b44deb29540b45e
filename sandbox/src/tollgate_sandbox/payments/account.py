"""What every simulated account has besides its objects: time, faults, webhooks, limits, keys and a state file."""

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.payments.clock import Clock
from tollgate_sandbox.payments.deliveries import Deliveries, Sign
from tollgate_sandbox.payments.faults import Faults
from tollgate_sandbox.payments.policy import Schedule
from tollgate_sandbox.payments.rates import Rates
from tollgate_sandbox.payments.sender import Sender
from tollgate_sandbox.payments.settings import PaymentSettings
from tollgate_sandbox.payments.state import StateFile


class Account:
    """The part of a simulated account that is the same for all providers; each adds its objects and what they do."""

    brand = "Account"

    def __init__(self, settings: PaymentSettings, sign: Sign, rates: Rates, schedule: Schedule) -> None:
        self.settings = settings
        self.clock = Clock()
        self.faults = Faults()
        self.deliveries = Deliveries(settings.kept, schedule)
        self.file = StateFile(settings.state, self.dump)
        self.sender = Sender(self.deliveries, self.clock, sign, self.file.touch)
        self.rates = rates
        self.revoked: set[str] = set()
        self.base_url = ""
        self.lag = 0
        """Lists and searches do not show what was made within so many seconds."""

    def now(self) -> int:
        """The time as everything here sees it."""
        return self.clock.now()

    def run_due(self, until: int) -> None:
        """Do what happens by itself up to then."""
        raise NotImplementedError

    def is_due(self) -> bool:
        """Whether something waits to happen by itself."""
        raise NotImplementedError

    def changed(self) -> None:
        """Save and send, soon."""
        self.file.touch()
        self.sender.wake()

    def flush(self) -> None:
        """Save now."""
        self.file.flush()

    def dump(self) -> Json:
        """Everything that survives a restart."""
        return {
            "clock_offset": self.clock.offset,
            "deliveries": self.deliveries.dump(),
            "revoked": sorted(self.revoked),
        }

    def restore(self, state: Json) -> None:
        """Take up what was dumped."""
        self.clock.offset = state["clock_offset"]
        self.deliveries.load(state["deliveries"])
        self.revoked = set(state["revoked"])

    def start(self) -> None:
        """What even an empty account has."""

    def load(self) -> None:
        """Take up the state file, if there is one; raises ValueError."""
        state = self.file.load()
        if state is not None:
            self.restore(state)
        self.start()

    def reset(self) -> None:
        """As new; the clock goes on."""
        self.faults.clear()
        self.lag = 0
        self.deliveries.clear()
        self.revoked.clear()
        self.start()
