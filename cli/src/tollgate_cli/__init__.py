"""The ``tollgate`` command. Laptop mode (``up``) starts every component as the process it is on a cluster.

Commands parse, call and print; ``laptop`` holds what starts processes and what the demo sends.
"""
