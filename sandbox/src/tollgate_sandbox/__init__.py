"""A simulated LLM provider: one server, seven wire formats, scripted faults and a journal of what it really did.

It stands in for the world outside, so it may import no other Tollgate package and may share no code with one.
"""
