"""Drills on a virtual clock: the same drill files, rules, verdicts and reports as live, without a running stack."""
