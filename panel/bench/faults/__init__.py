"""Benchmarks of the faults: how soon they act, what they cost while none burns, how well the traffic keeps time."""
