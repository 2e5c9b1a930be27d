"""The JSON schema of drill files: it is the committed one, and it agrees with what reads them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from faults.drills.errors import BadDrill
from faults.drills.schema import drill_schema
from faults.drills.spec import LIBRARY, parse_drill

SCHEMA = Path(__file__).parents[3] / "docs" / "drill.schema.json"
EVERYTHING = """\
version: 1
name: small
title: A small drill
seed: 3
traffic: {rate: 7}
history: {covers: 3d, series: [{series: 'a:b{job="x"}', value: 1, since: 2d, until: 1h}]}
steady_state: {within: 5m, hold: 30s}
faults:
  - {kind: error, name: a, ttl: 10m, lasts: 5m, ramp: 1m, at: 5s, repeat: {times: 2, every: 6m, jitter: 30s}}
  - {kind: error, after: a, ttl: 10m, probability: 0.5, target: {model: iris}, seed: 4, parameters: {status: 500}}
abort_if: [{promql: up < 1, reason: gone}]
expect: [{alert: A, labels: {a: b}, firing_within: 8m, delivered_within: 1m, resolved_within: 1h30m}]
allow: [B]
"""


def complaints(text: str) -> list[str]:
    """Return what the schema says against a drill file."""
    validator = Draft202012Validator(json.loads(drill_schema()))
    return [error.message for error in validator.iter_errors(yaml.safe_load(text))]


def test_the_committed_schema_is_the_current_one() -> None:
    """``firedrill drill schema > docs/drill.schema.json`` mends this."""
    assert SCHEMA.read_text(encoding="utf-8") == drill_schema()
    Draft202012Validator.check_schema(json.loads(drill_schema()))


@pytest.mark.parametrize("path", sorted(LIBRARY.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_schema_takes_the_library(path: Path) -> None:
    """What can be read is valid."""
    assert complaints(path.read_text(encoding="utf-8")) == []


def test_the_schema_takes_every_key() -> None:
    """A file with every key there is."""
    parse_drill(EVERYTHING)
    assert complaints(EVERYTHING) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ttl: 10m", "ttl: 600"),
        ("ttl: 10m", "ttl: soon"),
        ("ttl: 10m, lasts", "lasts"),
        ("kind: error", "kinds: error"),
        ("version: 1", "version: 2"),
        ("probability: 0.5", "probability: 0"),
        ("name: small", "name: Not Small"),
        ("times: 2", "times: 1"),
        ("seed: 3", "seed: -3"),
        ("title: A small drill", "title: ''"),
    ],
)
def test_the_schema_and_the_reader_refuse_the_same(old: str, new: str) -> None:
    """A mistake in one key is one for both."""
    text = EVERYTHING.replace(old, new, 1)
    assert text != EVERYTHING
    assert complaints(text)
    with pytest.raises(BadDrill):
        parse_drill(text)
