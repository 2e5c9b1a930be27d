"""The operator's limits: read with the line of every mistake, kept on every request, and shown to those who ask."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import faults.kinds  # noqa: F401 - fills the catalogue
from faults.base import FaultKind, FaultRequest, Place, catalogue
from faults.errors import BadFaultRequest, BadLimits, FaultUnavailable
from faults.host import BareHost
from faults.injector import Injector
from faults.limitfile import parse_limits, read_limits
from faults.limits import Limits
from stack.home import Home
from tests.ports import free_endpoints

TEXT = """\
version: 1
kinds:
  "*":
    max_ttl: 10m
    max_probability: 0.9
  latency:
    max_ttl: 5m
    max_probability: 0.5
    parameters:
      delay_ms: {max: 1000}
      stage: {allowed: [request, queue]}
    targets: {endpoints: ["/predict*"]}
  error:
    parameters:
      status: {min: 500}
  model_load_failure:
    forbidden: true
"""


class Bakery(BareHost):
    """A host with models."""

    place: Place = "service"
    models = ("iris", "churn")


def limits() -> Limits:
    """Return the limits above."""
    return parse_limits(TEXT.encode(), "limits.yaml")


def described(name: str) -> FaultKind:
    """Return a kind as an injector with the limits above describes it."""
    return next(kind for kind in Injector(Bakery(), limits=limits()).kinds() if kind.kind == name)


def latency(**changes: Any) -> FaultRequest:
    """Ask for a delay that the limits allow, with changes."""
    wanted = {"kind": "latency", "ttl_s": 60.0, "probability": 0.5, "target": {"endpoint": "/predict"}, **changes}
    return FaultRequest.model_validate(wanted)


def light(request: FaultRequest) -> dict[str, Any]:
    """Light a fault under the limits above and return its record."""

    async def run() -> dict[str, Any]:
        injector = Injector(Bakery(), limits=limits())
        record = await injector.light(request)
        await injector.close()
        return record.model_dump()

    return asyncio.run(run())


def test_what_lies_within_the_limits_burns_as_asked() -> None:
    """Values inside every bound are taken as they are."""
    record = light(latency(parameters={"delay_ms": 1000, "stage": "queue"}, ttl_s=300))
    assert (record["parameters"]["delay_ms"], record["parameters"]["stage"]) == (1000, "queue")
    assert light(latency(target={"endpoint": "/predict*"}))["target"]["endpoint"] == "/predict*"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"ttl_s": 301.0}, "ttl_s: at most 300, by the operator's limits"),
        ({"probability": 0.6}, "probability: at most 0.5"),
        ({"parameters": {"delay_ms": 1001}}, "parameters.delay_ms: at most 1000"),
        ({"parameters": {"stage": "model_prediction"}}, "parameters.stage: one of request, queue"),
        ({"target": {}}, "target.endpoint: within /predict"),
        ({"target": {"endpoint": "/pred*"}}, "target.endpoint: within /predict"),
        ({"target": {"endpoint": "*"}}, "target.endpoint: within /predict"),
        ({"kind": "error", "ttl_s": 601.0, "target": {}}, "ttl_s: at most 600"),
        ({"kind": "error", "probability": 1.0, "target": {}}, "probability: at most 0.9"),
        ({"kind": "error", "parameters": {"status": 404}, "target": {}}, "parameters.status: at least 500"),
    ],
)
def test_what_lies_beyond_the_limits_is_refused(changes: dict[str, Any], says: str) -> None:
    """Each bound is kept, and the message names it, its value and whose it is."""
    with pytest.raises(BadFaultRequest, match=says.replace("*", r"\*")):
        light(latency(**changes))


def test_a_forbidden_kind_is_unavailable() -> None:
    """It is shown with the reason and refused with it."""
    shown = described("model_load_failure")
    assert not shown.available
    assert shown.unavailable_because == "the operator's limits forbid it (limits.yaml)"
    with pytest.raises(FaultUnavailable, match="limits forbid it"):
        light(FaultRequest(kind="model_load_failure", ttl_s=5))


def test_the_schema_follows_the_limits() -> None:
    """Bounds, choices, defaults and presets that are shown are those that are taken."""
    shown = described("latency")
    properties: Any = shown.schema_["properties"]
    assert properties["delay_ms"]["maximum"] == 1000
    assert properties["delay_ms"]["default"] == 1000
    assert properties["stage"]["enum"] == ["request", "queue"]
    assert (shown.max_ttl_s, shown.max_probability, shown.allowed_endpoints) == (300.0, 0.5, ["/predict*"])
    assert light(latency())["parameters"]["delay_ms"] == 1000
    for name, preset in shown.presets.items():
        taken = light(latency(parameters=preset.parameters, probability=preset.probability))
        assert taken["probability"] <= 0.5, name
    assert described("error").max_ttl_s == 600.0
    untouched: Any = catalogue()["latency"].parameters_type.model_json_schema()
    assert untouched["properties"]["delay_ms"]["maximum"] == 60_000


@pytest.mark.parametrize(
    ("endpoint", "allowed", "inside"),
    [
        ("/predict/iris", "/predict*", True),
        ("/predict?", "/predict*", True),
        ("/predict*", "/predict?", False),
        ("/predict/*", "/predict/{model}", False),
        ("/predict/{model}", "/predict/*", True),
        ("/predict/{name}", "/predict/{model}", True),
        ("/predict?iris", "/predict{x}", False),
        ("/predict*", "/predict", False),
    ],
)
def test_a_target_lies_within_a_glob_as_a_whole(endpoint: str, allowed: str, *, inside: bool) -> None:
    """A wildcard in the target counts as everything that it can mean."""
    text = f'version: 1\nkinds: {{error: {{targets: {{endpoints: ["{allowed}"]}}}}}}'
    injector = Injector(limits=parse_limits(text.encode(), "l"))
    request = FaultRequest.model_validate({"kind": "error", "ttl_s": 5, "target": {"endpoint": endpoint}})
    if inside:
        assert asyncio.run(injector.light(request)).state == "active"
    else:
        with pytest.raises(BadFaultRequest, match="within"):
            asyncio.run(injector.light(request))


def test_models_can_be_the_only_ones_allowed() -> None:
    """A fault for every model is refused where only some may be touched."""
    rules = parse_limits(b"version: 1\nkinds: {'*': {targets: {models: [iris]}}}", "l")

    async def scenario() -> None:
        injector = Injector(Bakery(), limits=rules)
        for target in ({}, {"model": "churn"}):
            request = {"kind": "error", "ttl_s": 5, "target": target}
            with pytest.raises(BadFaultRequest, match=r"target\.model: one of iris"):
                await injector.light(FaultRequest.model_validate(request))
        good = {"kind": "error", "ttl_s": 5, "target": {"model": "iris"}}
        assert (await injector.light(FaultRequest.model_validate(good))).state == "active"
        await injector.close()

    asyncio.run(scenario())


def test_all_may_be_forbidden_but_some() -> None:
    """``forbidden`` for every kind and not for one leaves that one."""
    rules = parse_limits(b"version: 1\nkinds: {'*': {forbidden: true}, error: {forbidden: false}}", "l")
    available = {kind.kind for kind in Injector(Bakery(), limits=rules).kinds() if kind.available}
    assert available == {"error"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "line 1: expected a mapping"),
        ("kinds: {}", "line 1: version: is missing"),
        ("version: 2", "line 1: version: input should be 1, got 2"),
        ("version: 1\nkinds:\n  gremlin: {}", "line 3: kinds.gremlin: no such kind of fault; known kinds:"),
        ("version: 1\nkinds:\n  error:\n    max_ttl: soon", "line 4: kinds.error.max_ttl: 'soon' is not a duration"),
        ("version: 1\nkinds:\n  error:\n    max_ttl: 2d", "line 4: kinds.error.max_ttl: input should be less than"),
        ("version: 1\nkinds:\n  error:\n    max_probability: 0", "line 4: kinds.error.max_probability"),
        ("version: 1\nkinds:\n  error:\n    colour: red", "line 4: kinds.error.colour: unknown key"),
        ("version: 1\nversion: 1", "line 2: version: stands twice"),
        ("version: 1\nkinds: {error: {parameters: {x: {max: 1}}}}", "no such parameter; error has: mode"),
        ("version: 1\nkinds: {error: {parameters: {status: {max: 600}}}}", "600 is not within the kind's own bounds"),
        ("version: 1\nkinds: {error: {parameters: {status: {min: 502, max: 501}}}}", "min 502 is above max 501"),
        ("version: 1\nkinds: {error: {parameters: {status: {max: 501.5}}}}", "expected whole numbers"),
        ("version: 1\nkinds: {error: {parameters: {status: {allowed: [500]}}}}", "takes min and max"),
        ("version: 1\nkinds: {error: {parameters: {mode: {max: 1}}}}", "min and max are for numbers"),
        ("version: 1\nkinds: {error: {parameters: {mode: {allowed: [x]}}}}", "expected some of status, exception"),
        ('version: 1\nkinds: {"*": {parameters: {status: {max: 501}}}}', "parameters belong to one kind"),
        ("version: 1\nkinds: &a {}", ""),
        ("version: 1\nkinds: {error: &a {forbidden: true}, latency: *a}", "aliases are not used"),
        ("version: [1", "not valid YAML"),
        ("version: 1\nkinds: !!python/object:os.system {}", "not valid YAML"),
        ("version: 1\n#" + "x" * 300_000, "larger than"),
    ],
)
def test_a_bad_file_is_refused_with_the_line(text: str, says: str) -> None:
    """Every mistake is told with its line, its key and what was expected."""
    if not says:
        assert parse_limits(text.encode(), "limits.yaml").of("error").forbidden is False
        return
    with pytest.raises(BadLimits) as refused:
        parse_limits(text.encode(), "limits.yaml")
    assert says in str(refused.value)
    assert "limits.yaml" in str(refused.value)


def test_every_mistake_is_told_at_once() -> None:
    """Two things wrong are two lines in one answer."""
    text = b"version: 1\nkinds:\n  gremlin: {}\n  error:\n    parameters: {x: {max: 1}}"
    with pytest.raises(BadLimits) as refused:
        parse_limits(text, "l")
    assert len(refused.value.problems) == 2


def test_where_the_file_is_looked_for(tmp_path: Path) -> None:
    """The home's own file, or the one that the environment names, which must then be there; none is no limit."""
    home = Home(tmp_path)
    assert read_limits(home, {}).of("error").forbidden is False
    (tmp_path / "limits.yaml").write_text("version: 1\nkinds: {error: {forbidden: true}}")
    assert read_limits(home, {}).of("error").forbidden
    other = tmp_path / "other.yaml"
    with pytest.raises(BadLimits, match="no such file"):
        read_limits(home, {"FIREDRILL_LIMITS": str(other)})
    other.write_text("version: 1")
    assert not read_limits(home, {"FIREDRILL_LIMITS": str(other)}).of("error").forbidden
    other.write_bytes(b"\xff\xfe")
    with pytest.raises(BadLimits, match="not UTF-8"):
        read_limits(home, {"FIREDRILL_LIMITS": str(other)})
    with pytest.raises(BadLimits, match="cannot be read"):
        read_limits(home, {"FIREDRILL_LIMITS": str(tmp_path)})


@pytest.mark.parametrize("module", ["faults.serve", "faults.traffic", "faults.drills.conductor"])
def test_a_bad_file_stops_every_process_that_holds_faults(module: str, tmp_path: Path) -> None:
    """Service, traffic and conductor do not start; they say the file, the line and what was expected."""
    (tmp_path / "limits.yaml").write_text("version: 1\nkinds:\n  gremlin: {}\n")
    environment = {
        **os.environ,
        "FIREDRILL_HOME": str(tmp_path),
        "FIREDRILL_PORT_OFFSET": str(free_endpoints().offset),
        "FIREDRILL_LIMITS": "",
    }
    done = subprocess.run(
        [sys.executable, "-m", module], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode not in {0, -9}
    assert "line 3: kinds.gremlin: no such kind" in done.stderr
    assert "Traceback" not in done.stderr


def test_kinds_are_json_with_their_limits() -> None:
    """What the control endpoint sends reads back as the same kinds."""
    kinds = Injector(Bakery(), limits=limits()).kinds()
    for kind in kinds:
        assert FaultKind.model_validate(json.loads(kind.model_dump_json(by_alias=True))) == kind


def test_the_documented_file_is_one_that_can_be_used() -> None:
    """The example of docs/limits.md parses, and every key of a kind stands in its table."""
    text = (Path(__file__).parents[3] / "docs" / "limits.md").read_text(encoding="utf-8")
    example = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert example is not None
    limits_ = parse_limits(example[1].encode(), "limits.yaml")
    assert limits_.of("crash").forbidden
    assert (limits_.of("latency").max_ttl_s, limits_.of("error").max_ttl_s) == (300.0, 600.0)
    for key in ("forbidden", "max_ttl", "max_probability", "targets.models", "targets.endpoints"):
        assert f"| `{key}` |" in text
