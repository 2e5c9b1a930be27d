"""Metrics of this machine under node_exporter's names, for where there is none. It never changes anything."""
