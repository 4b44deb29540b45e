"""Rating: from quantities and price versions to amounts. Pure: no SQL, no Redis, no clock.

One module for each pricing model, all of the same shape (``lines.Charge``), and the invoice that puts them together.
Arithmetic is exact (fractions); each line is rounded once, half up, to the currency's minor unit.
"""

from tollgate_billing.rating.invoice import Invoice, Metered, running_invoice
from tollgate_billing.rating.lines import InvoiceLine, LinePeriod

__all__ = ["Invoice", "InvoiceLine", "LinePeriod", "Metered", "running_invoice"]
