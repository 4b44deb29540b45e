"""What one evaluation may take, and how many run at once."""

from dataclasses import dataclass

#: Reading a request's JSON alone takes jq some 50 ms for each MiB on a small machine.
_PER_MIB = 0.4
_BY_THE_CLOCK = 4.0


@dataclass(frozen=True)
class Budget:
    """``cpu_ms`` is the processor time of one evaluation, and 0.4 of it more for each MiB of input. On a machine that
    is busy it takes longer by the clock; after four times as long it is stopped all the same."""

    cpu_ms: int = 250
    workers: int = 2
    memory_bytes: int = 192 << 20

    def seconds(self, size: int) -> float:
        """Of processor time, for an input of so many bytes."""
        return self.cpu_ms / 1000 * (1 + _PER_MIB * size / 2**20)

    def clock_seconds(self, size: int) -> float:
        """By the clock. No request waits longer than that for its turn either."""
        return self.seconds(size) * _BY_THE_CLOCK
