"""Commands that change what a running billing holds: migrate, subscriptions, grants, limits, statements.

``attached`` finds billing, ``changing`` shows what would be and asks before it is done; billing decides everything.
"""
