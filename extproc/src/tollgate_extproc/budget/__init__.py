"""Time and memory that a tenant's expressions may take: what could take long runs in processes that can be killed.

``evaluate`` decides where an expression runs, ``pool`` who is next, ``worker`` is such a process and ``child`` its
program; ``breaker`` remembers what was stopped again and again. Nothing is imported here: a child imports this package.
"""
