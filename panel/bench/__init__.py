"""Benchmarks: what Firedrill promises about time and memory, measured on the machine that asks."""
