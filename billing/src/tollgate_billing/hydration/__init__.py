"""Filling Redis from SQL: subscriptions, keys and counters, at start, after each change and after each loss.

Redis holds no truth. A partition is ``ready`` once it holds what SQL knows; until then the gate admits nothing there.
Here live the scripts that write, and the loop that watches. Nothing here decides what a subscription may do.

**Counters after a loss.** An event that was settled is in the stream, in the ledger, or with its publisher, which
settles it again. The ledger's sum is written as ``used`` only while the partition's stream is empty and nothing was
appended to it since before the sum was read, checked by the script itself: then the sum holds everything settled. A
partition that is not ready admits nothing, so its stream soon is empty. What the ledger recorded lately is marked
``confirmed`` again first, so that a publisher that missed its confirmation does not count the event twice.

Counters of limits by API key come from the events themselves, which name the key by its fingerprint; those of earlier
versions do not, and count towards no key.

What remains: a publisher that was away for longer than ``_MARKED_MS`` and missed a confirmation settles again after
the loss; its events are not billed twice (the ledger knows them), but count twice in the limit's counter until the
period ends or Redis is filled anew. Holds of requests in flight at the loss are gone, so a limit can be overshot by
those requests. A Redis that lost only its last moments serves on: ``used`` is raised to the ledger's sum where it is
lower, which is exact but for events that are both lost from the counter and still in the stream.
"""
