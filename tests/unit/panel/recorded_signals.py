"""A little recorded history of every series that the shipped dashboards ask for, made from their own queries."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from panel.dashboards.file import shipped

LASTS_S = 120
STEP_S = 1.0
_NAME = re.compile(r"\b([a-zA-Z_:][\w:]*)\{")
_RISING = ("_total", "_count", "_sum", "_bucket", "_seconds_total")
_BOUNDS = ("0.005", "0.01", "0.1", "0.5", "3.0", "+Inf")
_MODELS = ("churn", "iris")
_OBJECTIVES = ("api_availability", "api_latency", "api_success_rate")
Recorded = tuple[tuple[tuple[str, str], ...], NDArray[np.int64], NDArray[np.float64]]


def names() -> tuple[str, ...]:
    """Return the names of all series that a query of a shipped dashboard selects with labels."""
    queries = (query.expr for board in shipped() for panel in board.panels for query in panel.queries)
    found = {match[1] for query in queries for match in _NAME.finditer(query)}
    return tuple(sorted(found | {"slo:objective:ratio", "job_slo:evidence:bool1h", "ALERTS"}))


def recorded(end_s: float) -> Iterator[Recorded]:
    """Yield each series with its labels, its times (Unix milliseconds, up to ``end_s``) and its values."""
    count = round(LASTS_S / STEP_S)
    times = np.array([(end_s - (count - 1 - at) * STEP_S) * 1000 for at in range(count)], np.int64)
    for name in names():
        for place, labels in enumerate(_labels(name)):
            full = tuple(sorted({"__name__": name, **labels}.items()))
            yield full, times, _values(name, labels, place, count)


def _values(name: str, labels: dict[str, str], place: int, count: int) -> NDArray[np.float64]:
    if name.endswith("_bucket"):  # cumulative over ``le``: each holds at least what the one below does
        return np.arange(count, dtype=np.float64) * (1 + _BOUNDS.index(labels["le"]))
    if name.endswith(_RISING):
        return np.arange(count, dtype=np.float64) * (1.0 + place)
    if name == "slo:objective:ratio":
        return np.full(count, {"api_availability": 0.999, "api_latency": 0.95}.get(labels["slo"], 0.99))
    if name == "up" or name.endswith("_loaded"):
        return np.ones(count)
    return 0.4 + 0.3 * np.sin(np.arange(count) / 9.0 + place)


def _labels(name: str) -> Iterator[dict[str, str]]:
    """Yield the label sets of one metric: what its queries group by and name in their legends."""
    if name.startswith(("job_slo:", "slo:")):
        yield from ({"slo": slo} | ({} if name.startswith("slo:") else {"job": "firedrill"}) for slo in _OBJECTIVES)
        return
    if name == "ALERTS":
        yield {"alertname": "HighLatency", "alertstate": "firing", "severity": "warning", "job": "firedrill"}
        yield {"alertname": "ErrorBudgetBurnFast", "alertstate": "pending", "slo": "api_latency", "job": "firedrill"}
        return
    if name.startswith("node_"):
        modes = ("idle", "user") if "cpu" in name else ("",)
        yield from (
            {"job": "node", "instance": "here", "device": "lo", "mountpoint": "/", **({"mode": mode} if mode else {})}
            for mode in modes
        )
        return
    base = {"job": "firedrill", "instance": "here"}
    if name.startswith("http_"):
        base |= {"endpoint": "/predict", "method": "POST", "error_type": "timeout"}
        sets = [base | {"status": status} for status in ("200", "503")]
    else:
        base |= {"model_version": "1", "prediction_class": "a", "feature": "f", "reason": "missing", "hash": "ab"}
        base |= {"error_type": "timeout", "name": "firedrill", "version": "1"}
        sets = [base | {"model_name": model} for model in _MODELS]
    if name in ("up", "process_resident_memory_bytes", "process_cpu_seconds_total") or "queue" in name:
        sets = [{"job": "firedrill", "instance": "here"}]
    for labels in sets:
        yield from [labels | {"le": bound} for bound in _BOUNDS] if name.endswith("_bucket") else [labels]
