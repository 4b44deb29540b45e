"""The ledger: what was used, as double entries in units, in SQL.

Invariants, kept by the writer, by triggers and keys in the database, and checked by ``verify``:

1. A usage event is recorded at most once: its CloudEvents id is the primary key.
2. Events, corrections, postings and price versions are never changed or removed; triggers refuse it.
3. The lines of one event (and of one correction) sum to zero in every commodity. For each metric there are two:
   ``usage:<subscription>:<metric>`` takes the quantity, ``metered:<endpoint>`` gives it. The commodity is
   ``metric:<metric>``, with ``@<price>:<version>`` of each price that applied when the request was admitted.
4. Quantities are whole millionths in 64-bit integers; nothing is ever a float. Sums are projections.
5. A correction (revision 1, 2) reverses the standing lines and posts new ones. It happens only when better knowledge
   arrives: a witness after a guess from the hold, an exact count after an inexact one. So there are at most two.
6. An event of a known id that counts something else is no correction: it goes to the dead letters, for a person.

Here are the types and rules (``entries``, ``judgement``, ``commodity``), and the storage behind them. The ledger knows
no cache, no provider and no HTTP.
"""
