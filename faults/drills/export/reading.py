"""What promtool says that it got, read from its differences. It is the only way to learn of it how templates come out.

A test that expects nothing makes promtool print every alert that fires, with its labels and annotations as
Prometheus's own template engine rendered them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import zip_longest

from faults.drills.virtual.recording import Labels
from stack.rules.durations import parse_duration

_HEAD = re.compile(
    r'^    (?:alertname: (?P<alert>.*)|expr: "(?P<expr>(?:[^"\\]|\\.)*)"), time: (?P<time>\S+), ?$', re.MULTILINE
)
_PAIR = re.compile(r'([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"')
_LABELS = re.compile(r"^\s*Labels:\{(.*)\},?$", re.MULTILINE)
_ANNOTATIONS = re.compile(r"^\s*Annotations:\{(.*)\},?$", re.MULTILINE)
_SAMPLE = re.compile(r'\{((?:[^"{}]|"(?:[^"\\]|\\.)*")*)\} \S+')
_ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|(.))", re.DOTALL)
_SIGNS = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


@dataclass(frozen=True)
class Got:
    """What promtool found where nothing was expected; times are seconds after the time 0 of the test."""

    firing: Mapping[tuple[str, float], Mapping[Labels, Mapping[str, str]]]
    """By alert and time: the annotations of each instance, by its labels without ``alertname``."""
    pending: Mapping[tuple[str, float], frozenset[Labels]]
    """By expression and time, likewise."""
    other: tuple[str, ...] = field(default=())
    """Whatever it said that is no difference: rules that failed, a file that it does not take."""


def read_differences(output: str) -> Got:
    """Return what the ``output`` of ``promtool test rules`` tells."""
    firing: dict[tuple[str, float], Mapping[Labels, Mapping[str, str]]] = {}
    pending: dict[tuple[str, float], frozenset[Labels]] = {}
    heads = list(_HEAD.finditer(output))
    for head, following in zip_longest(heads, heads[1:]):
        end = len(output) if following is None else following.start()
        got = output[head.end() : end].partition("got:")[2]
        at = parse_duration(head["time"])
        if head["alert"] is not None:
            each = zip(_LABELS.findall(got), _ANNOTATIONS.findall(got), strict=True)
            firing[head["alert"], at] = {_plain(labels): dict(_pairs(texts)) for labels, texts in each}
        else:
            first = got.strip().splitlines()[:1]
            pending[_unescaped(head["expr"]), at] = frozenset(_plain(one) for one in _SAMPLE.findall("".join(first)))
    before = output[: heads[0].start()] if heads else output
    known = re.compile(r"\s*(FAILED:|SUCCESS|Unit Testing: .*|)")
    failed = [line.strip() for line in output.splitlines() if ", err: " in line]
    said = [line.strip() for line in before.splitlines() if not known.fullmatch(line)]
    return Got(firing, pending, tuple(dict.fromkeys([*said, *failed])))


def _plain(labels: str) -> Labels:
    """Return the labels of an alert without those that only say which one it is."""
    return tuple(sorted(pair for pair in _pairs(labels) if pair[0] not in {"__name__", "alertname", "alertstate"}))


def _pairs(text: str) -> list[tuple[str, str]]:
    return [(name, _unescaped(value)) for name, value in _PAIR.findall(text)]


def _unescaped(text: str) -> str:
    """Return a text of Go's ``%q`` as it was."""

    def sign(found: re.Match[str]) -> str:
        number = found[1] or found[2] or found[3]
        return chr(int(number, 16)) if number else _SIGNS.get(found[4], found[4])

    return _ESCAPE.sub(sign, text)
