"""The HTTP APIs: the provider's under the admin token, the customers' under their own API keys, and operations.

Here live routes, authentication, request bodies and the JSON that is answered. Routes parse, delegate and report; all
of them are synchronous, so that the framework runs them on threads and SQL never blocks the event loop.
"""
