"""How long is waited before something is tried again. Pure."""

_FIRST_PAUSE_MS = 2_000
_LONGEST_PAUSE_MS = 3_600_000


def pause_ms(attempts: int) -> int:
    """Longer and longer, up to an hour. ``attempts``: those of before."""
    return min(_LONGEST_PAUSE_MS, _FIRST_PAUSE_MS << min(attempts, 20))
