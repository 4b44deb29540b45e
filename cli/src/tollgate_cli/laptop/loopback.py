"""Calls to processes of this machine, one connection each, as ``httpx.get`` and the like make them.

Without reading the authorities of the internet for every call: that takes longer than the call, and what is polled is
often still starting on the same cores.
"""

import ssl
from functools import partial

import httpx

#: Trusts nobody: no call here leads to TLS.
_NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

request = partial(httpx.request, verify=_NO_AUTHORITIES)
get = partial(httpx.get, verify=_NO_AUTHORITIES)
post = partial(httpx.post, verify=_NO_AUTHORITIES)
delete = partial(httpx.delete, verify=_NO_AUTHORITIES)
stream = partial(httpx.stream, verify=_NO_AUTHORITIES)
