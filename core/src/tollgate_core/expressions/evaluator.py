"""The package ``cel`` without its command line, which it imports on its own and nobody calls here.

The command line brings a toolkit for terminals: most of the package's time, and 25 MiB, in every process of ours.
"""

import sys
from types import ModuleType

sys.modules.setdefault("cel.cli", ModuleType("cel.cli"))

import cel  # noqa: E402

__all__ = ["cel"]
