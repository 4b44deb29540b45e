"""A simulated Stripe: the official SDK talks to it over HTTP; parameters are checked against the SDK's own types.

It proves our logic against rules we wrote down from the documentation, not Stripe's behaviour.
"""
