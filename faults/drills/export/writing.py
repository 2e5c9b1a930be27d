"""A promtool test file as text. What stands in it is decided elsewhere; nothing is run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from faults.drills.export.moments import Moment
from faults.drills.export.notation import Slot, compress
from faults.drills.virtual.recording import Labels
from stack.rules.durations import format_duration

Rendered = Mapping[tuple[str, float, Labels], Mapping[str, str]]
"""The annotations of an alert that fires, by its name, its time and its labels."""
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


@dataclass(frozen=True)
class TestFile:
    """Everything that one file says. Times are seconds after its time 0."""

    __test__ = False  # no test class, whatever it is called

    title: str
    remarks: tuple[str, ...]
    rule_files: tuple[str, ...]
    groups: tuple[str, ...]
    every_s: float
    """From one evaluation to the next."""
    step_s: float
    """From one slot of the series to the next."""
    series: Mapping[Labels, Sequence[Slot]]
    moments: tuple[Moment, ...]
    fault_s: float | None = None
    rollback_s: float | None = None
    start_timestamp: str = ""
    """Only Prometheus 3 knows it; empty: the test begins in 1970."""

    def text(self, rendered: Rendered | None) -> str:
        """Return the file; ``None`` as ``rendered`` expects nothing at all, so that promtool tells what there is."""
        return "\n".join(self._lines(rendered)) + "\n"

    def _lines(self, rendered: Rendered | None) -> Iterator[str]:
        yield from (f"# {line}".rstrip() for line in self.remarks)
        yield "rule_files:"
        yield from (f"  - {quoted(path)}" for path in self.rule_files)
        yield f"evaluation_interval: {format_duration(self.every_s)}"
        yield "group_eval_order:"
        yield from (f"  - {quoted(name)}" for name in self.groups)
        yield "tests:"
        yield f"  - interval: {format_duration(self.step_s)}"
        if rendered is not None:
            yield f"    name: {quoted(self.title)}"
        if self.start_timestamp and rendered is not None:
            yield f"    start_timestamp: {quoted(self.start_timestamp)}"
        yield "    input_series:"
        for labels, slots in self.series.items():
            yield f"      - series: {quoted(series_text(labels))}"
            yield f"        values: {quoted(compress(slots))}"
        yield "    alert_rule_test:"
        for moment in self.moments:
            yield from self._alert(moment, rendered)
        asked = [moment for moment in self.moments if moment.pending]
        if asked:
            yield "    promql_expr_test:"
        for moment in asked:
            yield from self._pending(moment, rendered)

    def _alert(self, moment: Moment, rendered: Rendered | None) -> Iterator[str]:
        yield f"      - alertname: {quoted(moment.alert)}"
        yield f"        eval_time: {format_duration(moment.at_s)}  # {self._when(moment)}"
        if rendered is None or not moment.firing:
            yield "        exp_alerts: []"
            return
        yield "        exp_alerts:"
        for labels in moment.firing:
            yield f"          - exp_labels: {_mapping(dict(labels))}"
            annotations = rendered[moment.alert, moment.at_s, labels]
            if annotations:
                yield "            exp_annotations:"
                yield from (f"              {_key(name)}: {quoted(text)}" for name, text in annotations.items())

    def _pending(self, moment: Moment, rendered: Rendered | None) -> Iterator[str]:
        yield f"      - expr: {quoted(pending_query(moment.alert))}"
        yield f"        eval_time: {format_duration(moment.at_s)}  # {self._when(moment)}"
        if rendered is None:
            yield "        exp_samples: []"
            return
        yield "        exp_samples:"
        for labels in moment.pending:
            state = {"__name__": "ALERTS", "alertname": moment.alert, "alertstate": "pending", **dict(labels)}
            yield f"          - labels: {quoted(series_text(tuple(sorted(state.items()))))}"
            yield "            value: 1"

    def _when(self, moment: Moment) -> str:
        """Return when a moment is, and what is to be seen, for who reads the file."""
        state = "firing" if moment.firing else "pending" if moment.pending else "quiet"
        if self.fault_s is None:
            return state
        if moment.at_s <= self.fault_s:
            return f"{state}, before the fault"
        if self.rollback_s is None or moment.at_s <= self.rollback_s:
            return f"{state}, {format_duration(moment.at_s - self.fault_s)} after the fault began"
        return f"{state}, {format_duration(moment.at_s - self.rollback_s)} after it ended"


def pending_query(alert: str) -> str:
    """Return the expression of the pending instances of ``alert``."""
    return f'ALERTS{{alertname="{_escaped(alert, "u")}",alertstate="pending"}}'


def series_text(labels: Labels) -> str:
    """Return a series as PromQL writes it."""
    name = dict(labels).get("__name__", "")
    inside = ", ".join(f'{key}="{_escaped(value, "u")}"' for key, value in labels if key != "__name__")
    return f"{name}{{{inside}}}"


def quoted(text: str) -> str:
    """Return ``text`` as a quoted scalar of YAML; in single quotes where double ones would have to be escaped."""
    if '"' in text and text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    return f'"{_escaped(text, "x")}"'


def _mapping(texts: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{_key(name)}: {quoted(text)}" for name, text in texts.items()) + "}"


def _key(name: str) -> str:
    """Return the name of a label or annotation, in quotes where YAML would take it for something else."""
    return quoted(name) if name.lower() in _WORDS else name


def _escaped(text: str, shortest: str) -> str:
    """Return ``text`` between quotes, unprintable signs by their number; only YAML has ``x`` for those up to 255."""
    return "".join(_ESCAPES.get(sign) or (sign if sign.isprintable() else _by_number(sign, shortest)) for sign in text)


def _by_number(sign: str, shortest: str) -> str:
    number = ord(sign)
    if number <= 0xFF and shortest == "x":
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"
