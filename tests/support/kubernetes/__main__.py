"""``make apiserver``: find the programs, or build them once, and say where they are."""

import sys

from tests.support.kubernetes.binaries import BinariesUnavailableError, binaries


def main() -> int:
    """1 where they cannot be had."""
    try:
        found = binaries(lambda line: print(line, flush=True))
    except BinariesUnavailableError as error:
        print(error, file=sys.stderr)
        return 1
    for name, path in vars(found).items():
        print(f"{name.replace('_', '-'):24} {path}")
    return 0


sys.exit(main())
