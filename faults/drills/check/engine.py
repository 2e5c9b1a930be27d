"""What evaluates rules here, by name, whether or not anything had to be evaluated. It starts nothing."""

from __future__ import annotations

from stack.provision import locate


def engine_name() -> str:
    """Return such as ``Prometheus 2.42.0``; empty where no Prometheus is at hand yet."""
    found = locate("prometheus")
    return "" if found is None else f"Prometheus {found.version.partition('+')[0]}"
