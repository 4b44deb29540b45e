"""``tollgate up --month``: a month of customers through the real ledger, on a clock that is turned by hand.

``population`` invents customers and their calls (seeded: the same month every time); ``simulation`` records them and
closes periods with billing's own code. Nothing is sent anywhere, and no Envoy or Redis is started.
"""
