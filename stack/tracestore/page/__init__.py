"""Readable pages of the trace store: one trace as a waterfall, and a list of recent ones. HTML without scripts."""
