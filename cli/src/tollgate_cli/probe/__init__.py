"""``tollgate probe``: test calls against an API's own upstream, judged by the code that meters production.

``cases`` and ``bodies`` say what is sent, ``target`` where to, ``call`` does it, ``verdict`` judges; all but ``call``,
``simulated`` and ``command`` are pure. Nothing here parses a response or evaluates an expression by itself.
"""
