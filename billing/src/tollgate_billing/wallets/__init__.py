"""Prepaid credit: grants of money to a subscription, burned by its statements.

``burning`` decides which grant pays (pure); ``grants`` keeps grants, burns and their postings. What usage has not been
billed yet is on no grant: it shows as ``pending``, and what is left as ``available``.
"""
