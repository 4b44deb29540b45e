"""What components say to each other through Redis: key names, and the scripts with their arguments and answers.

Every key that one script touches carries the same ``{pN}`` hash tag, so all of it runs on Redis Cluster.
"""

from tollgate_core.redis_contract.answers import raw, text
from tollgate_core.redis_contract.keys import (
    PARTITIONS,
    THROTTLE,
    UNPAID,
    WALLET_ENDS_MS,
    WALLET_METRIC,
    Keys,
    key_fingerprint,
    key_hash,
    partition_of,
)
from tollgate_core.redis_contract.scripts import (
    AdmitRequest,
    CounterUse,
    Limit,
    SettleRequest,
    script_source,
)

__all__ = [
    "PARTITIONS",
    "THROTTLE",
    "UNPAID",
    "WALLET_ENDS_MS",
    "WALLET_METRIC",
    "AdmitRequest",
    "CounterUse",
    "Keys",
    "Limit",
    "SettleRequest",
    "key_fingerprint",
    "key_hash",
    "partition_of",
    "raw",
    "script_source",
    "text",
]
