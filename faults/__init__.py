"""Faults on a switch, and drills that prove that the alarm rings."""
