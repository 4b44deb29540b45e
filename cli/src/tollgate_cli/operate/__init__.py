"""Commands that change what a running billing holds, for example ``migrate``, ``subscriptions`` and ``grants``.

``attached`` finds billing, ``changing`` shows what would be and asks before it is done; billing decides everything.
"""
