"""The open-loop traffic generator: a process of its own, and a load test from the command line.

Requests start when a Poisson schedule says so, whether or not earlier ones have been answered. The core (schedule,
inputs, meter, generator) knows the event loop's clock and a ``Transport``, nothing else.
"""
