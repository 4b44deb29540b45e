"""Errors that a person reads: what is wrong, and what to do."""


class CommandError(Exception):
    """Printed without a traceback; the command exits with 1."""
