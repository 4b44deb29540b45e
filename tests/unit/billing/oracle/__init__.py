"""An independent oracle for statements, written from docs/pricing.md and not from the code: naive, exact and slow on
purpose. It imports nothing of Tollgate."""
