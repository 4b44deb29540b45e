"""Statements: what is due at a moment, drafted at any time and closed once.

``drafting`` asks the ledger and lets ``tollgate_core.pricing`` decide; ``closing`` writes a draft down for good, with
its postings of money; ``store`` reads and writes rows. Nothing here speaks HTTP or to a payment provider.
"""
