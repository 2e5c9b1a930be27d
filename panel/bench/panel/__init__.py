"""Figures of the panel: what it costs to be looked at, and how quick and how steady it is in a browser."""
