"""Calls to processes of this machine, one connection each, as ``httpx.get`` and the like make them.

Without reading the authorities of the internet for every call: that takes longer than the call, and what is polled is
often still starting on the same cores.
"""

import ssl
from functools import partial

import httpx

#: Trusts nobody, for calls that do not lead to TLS.
NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

request = partial(httpx.request, verify=NO_AUTHORITIES)
get = partial(httpx.get, verify=NO_AUTHORITIES)
post = partial(httpx.post, verify=NO_AUTHORITIES)
delete = partial(httpx.delete, verify=NO_AUTHORITIES)
stream = partial(httpx.stream, verify=NO_AUTHORITIES)
