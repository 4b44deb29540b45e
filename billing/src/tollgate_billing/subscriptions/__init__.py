"""The life of a subscription: what the catalog declares becomes rows, and which price versions it pins.

Decisions about pins are pure (``pinning``); ``declared`` and ``migration`` carry them out in one transaction. Nothing
here rates usage or closes a period.
"""
