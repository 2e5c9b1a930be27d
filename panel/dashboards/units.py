"""Values in Grafana's units as a person reads them: on tiles, axes and in tables. Pure text; no drawing."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from panel import formats

GAP = "\u00a0"
"""Between a number and its unit: a line never breaks there."""
MINUS = "\u2212"
Kind = Literal["plain", "short", "percent", "share", "bytes", "si", "time", "suffix", "flag", "moment"]


@dataclass(frozen=True)
class Unit:
    """How a unit is written: its ``kind``, its name, and what one of it is in the kind's base unit."""

    kind: Kind
    name: str = ""
    scale: float = 1.0


UNITS: Mapping[str, Unit] = MappingProxyType(
    {
        "": Unit("short"),
        "none": Unit("plain"),
        "short": Unit("short"),
        "locale": Unit("plain"),
        "percent": Unit("percent"),
        "percentunit": Unit("share"),
        "ns": Unit("time", scale=1e-9),
        "µs": Unit("time", scale=1e-6),
        "ms": Unit("time", scale=1e-3),
        "s": Unit("time"),
        "m": Unit("time", scale=60.0),
        "h": Unit("time", scale=3600.0),
        "d": Unit("time", scale=86400.0),
        "dtdurations": Unit("time"),
        "dtdurationms": Unit("time", scale=1e-3),
        "bytes": Unit("bytes", "B"),
        "kbytes": Unit("bytes", "B", 1024.0),
        "mbytes": Unit("bytes", "B", 1024.0**2),
        "binBps": Unit("bytes", "B/s"),
        "decbytes": Unit("si", "B"),
        "deckbytes": Unit("si", "B", 1e3),
        "decmbytes": Unit("si", "B", 1e6),
        "bits": Unit("bytes", "b"),
        "decbits": Unit("si", "b"),
        "Bps": Unit("si", "B/s"),
        "KBs": Unit("si", "B/s", 1e3),
        "MBs": Unit("si", "B/s", 1e6),
        "bps": Unit("si", "b/s"),
        "hertz": Unit("si", "Hz"),
        "watt": Unit("si", "W"),
        "reqps": Unit("suffix", "req/s"),
        "rps": Unit("suffix", "rd/s"),
        "wps": Unit("suffix", "wr/s"),
        "ops": Unit("suffix", "ops/s"),
        "iops": Unit("suffix", "io/s"),
        "cps": Unit("suffix", "c/s"),
        "mps": Unit("suffix", "msg/s"),
        "pps": Unit("suffix", "p/s"),
        "reqpm": Unit("suffix", "req/min"),
        "opm": Unit("suffix", "ops/min"),
        "cpm": Unit("suffix", "c/min"),
        "celsius": Unit("suffix", "°C"),
        "currencyUSD": Unit("suffix", "USD"),
        "currencyEUR": Unit("suffix", "EUR"),
        "bool": Unit("flag", "true/false"),
        "bool_yes_no": Unit("flag", "yes/no"),
        "bool_on_off": Unit("flag", "on/off"),
        "dateTimeAsIso": Unit("moment"),
        "dateTimeFromNow": Unit("moment"),
    }
)
"""By Grafana's id. Times of a moment come in milliseconds, as Grafana's do."""

_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi")
_DECIMAL = ("", "k", "M", "G", "T", "P")
_TIMES = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


def known(unit: str) -> bool:
    """Say whether values in ``unit`` are written as Grafana would; others are written as plain numbers."""
    return unit in UNITS or unit.startswith(("suffix:", "prefix:"))


def text(value: float | None, unit: str, decimals: int | None = None) -> str:
    """Return ``value`` of ``unit`` (Grafana's id) as text; a dash where there is none."""
    if value is None or math.isnan(value):
        return formats.NOTHING
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    if unit.startswith("prefix:"):
        return unit.removeprefix("prefix:") + _number(value, decimals)
    if unit.startswith("suffix:"):
        return f"{_number(value, decimals)}{GAP}{unit.removeprefix('suffix:')}"
    return _written(value, UNITS.get(unit, UNITS["none"]), decimals)


def hover(unit: str) -> str:
    """Return how plotly writes a value of ``unit`` beside the pointer: a part of its ``hovertemplate``."""
    known_as = UNITS.get(unit, UNITS["none"])
    if known_as.kind == "share":
        return "%{y:.2%}"
    if known_as.kind == "percent":
        return "%{y:.4~g} %"
    if known_as.kind == "time" and known_as.scale == 1.0:
        return "%{y:.3~s}s"
    if known_as.kind in ("bytes", "si") and known_as.scale == 1.0:
        return "%{y:.3~s}" + known_as.name
    return "%{y:,.4~g}" + (f" {known_as.name}" if known_as.kind == "suffix" else "")


def ticks(low: float, high: float, unit: str, *, most: int = 5) -> list[float]:
    """Return at most ``most`` round values within ``[low, high]``, where an axis is labelled."""
    spread = high - low
    if not (math.isfinite(spread) and spread > 0):
        return [low]
    binary = UNITS.get(unit, UNITS["none"]).kind == "bytes"
    base = 1024.0 ** max(0, math.floor(math.log(max(spread, 1.0), 1024))) if binary else 1.0
    least = spread / base / (most - 1)
    power = 10.0 ** math.floor(math.log10(least))
    step = next(power * each for each in (1.0, 2.0, 2.5, 5.0, 10.0, 20.0) if power * each >= least * (1 - 1e-9)) * base
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return sorted({float(f"{index * step:.12g}") for index in range(first, last + 1)})


def tick_texts(values: list[float], unit: str) -> list[str]:
    """Return how the ``ticks`` are written: with as many decimals as tell them apart."""
    plain = [text(each, unit) for each in values]
    if len(set(plain)) == len(plain):
        return plain
    return next(
        (
            told
            for places in range(1, 7)
            if len(set(told := [text(each, unit, places) for each in values])) == len(told)
        ),
        plain,
    )


def _written(value: float, unit: Unit, decimals: int | None) -> str:
    write: dict[Kind, Callable[[], str]] = {
        "share": lambda: f"{_percent(value * 100, decimals)}{GAP}%",
        "percent": lambda: f"{_percent(value, decimals)}{GAP}%",
        "bytes": lambda: _prefixed(value * unit.scale, 1024.0, _BINARY, unit.name, decimals),
        "si": lambda: _prefixed(value * unit.scale, 1000.0, _DECIMAL, unit.name, decimals),
        "short": lambda: _short(value, decimals),
        "time": lambda: _time(value * unit.scale, decimals),
        "suffix": lambda: f"{_number(value, decimals)}{GAP}{unit.name}",
        "flag": lambda: unit.name.split("/")[0 if value else 1],
        "moment": lambda: formats.day_and_clock(value / 1000) if 0 <= value < 4e12 else _number(value, decimals),
        "plain": lambda: _number(value, decimals),
    }
    return write[unit.kind]()


def _short(value: float, decimals: int | None) -> str:
    """Return a number in full as long as it is short; 1,997 requests are not "2k"."""
    if abs(value) < 9999.5:
        return _number(value, decimals)
    return _prefixed(value, 1000.0, _DECIMAL, "", decimals or None).replace(GAP, "")


def _percent(value: float, decimals: int | None) -> str:
    if decimals is None:
        decimals = 0 if value == round(value) else 1 if abs(value) >= 1 else 2
    return _fixed(value, decimals)


def _prefixed(value: float, base: float, prefixes: tuple[str, ...], name: str, decimals: int | None) -> str:
    size, at = abs(value), 0
    while at < len(prefixes) - 1 and size >= base * (0.9995 if base == 1000 else 1.0):
        size, at = size / base, at + 1
    number = _number(math.copysign(size, value), decimals if at or decimals is None else min(decimals, 2))
    return f"{number}{GAP}{prefixes[at]}{name}".rstrip(GAP)


def _time(seconds: float, decimals: int | None) -> str:
    size = abs(seconds)
    if size == 0:
        return f"0{GAP}s"
    each, name = next(((each, name) for each, name in _TIMES if size >= each * 0.9995), _TIMES[-1])
    return f"{_number(seconds / each, decimals)}{GAP}{name}"


def _number(value: float, decimals: int | None) -> str:
    """Return a number with so many decimals, or with three digits that say something; thousands are set apart."""
    if decimals is not None:
        return _fixed(value, decimals)
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 1e15 or size < 1e-6:
        return f"{value:.3g}".replace("-", MINUS)
    if size >= 100 or value == round(value):
        return _fixed(value, 0)
    places = 2 - math.floor(math.log10(size))
    rounded = _fixed(value, places)
    return rounded.rstrip("0").rstrip(".") if "." in rounded else rounded


def _fixed(value: float, decimals: int) -> str:
    shown = f"{value:,.{max(0, min(decimals, 9))}f}".replace(",", "\u202f")
    return shown.removeprefix("-") if not shown.strip("-0.\u202f") else shown.replace("-", MINUS, 1)
