"""Getting usage events into Redis: once each, whatever fails, kept until the ledger has confirmed them."""

from tollgate_extproc.settlement.settler import Settler
from tollgate_extproc.settlement.spool import Spool

__all__ = ["Settler", "Spool"]
