"""The dashboards: files in order, readable by Grafana's types and by ours, and variables put in as Grafana does it."""

from __future__ import annotations

import json
import re
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import units
from hypothesis import given
from hypothesis import strategies as st

from service.telemetry.metrics import DEFINITIONS
from stack.configuration import RULES_DIR
from stack.dashboards.__main__ import main
from stack.dashboards.board import (
    NO_LOWER_BOUND,
    Dashboard,
    Look,
    PanelKind,
    Query,
    Question,
    Step,
    Text,
    Variable,
    VariableKind,
)
from stack.dashboards.errors import BadDashboard, UnknownFormat, UnknownVariable
from stack.dashboards.file import FOLDER, load_dashboard, load_dashboards, normal_form, read_dashboard
from stack.dashboards.variables import View, legend, substituted
from stack.pace import PRODUCTION, WORKSHOP
from stack.rules.file import RecordingRule
from stack.rules.read import load_rules
from stack.rules.tree import Kind, Node, read_tree
from stack.selectors import PREDICTION_ENDPOINTS

with warnings.catch_warnings():  # it would have everybody write its second schema, which Grafana 11 does not read
    warnings.simplefilter("ignore", DeprecationWarning)
    from grafana_foundation_sdk.models import dashboard as sdk

FILES = sorted(FOLDER.glob("*.json"))
BOARDS = load_dashboards()
QUESTIONS = [question for board in BOARDS for question in board.questions()]
OF_SCRAPES = frozenset({"up", "ALERTS", "process_resident_memory_bytes", "process_cpu_seconds_total"})
"""Series of every job, which a dashboard may ask for without choosing one."""
FAULT_ACTIVE = "firedrill_fault_active"
ROOT = FOLDER.parents[3]

by_name = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


def selectors(expr: str) -> Iterator[Node]:
    """Yield the selectors of a query, its variables filled in."""
    board = next(each for each in BOARDS if each.uid == "firedrill-model")
    for node in read_tree(substituted(expr, board, View.spanning(900.0, 15.0))).walk():
        if node.kind in {Kind.SELECTOR, Kind.MATRIX}:
            yield node


def document() -> dict[str, Any]:
    """Return a small dashboard as Grafana writes it."""
    return {
        "uid": "one",
        "title": "One",
        "description": "A dashboard.",
        "refresh": "10s",
        "time": {"from": "now-15m", "to": "now"},
        "templating": {
            "list": [
                {"name": "model", "label": "Model", "type": "query", "query": "label_values(up, job)", "multi": True}
            ]
        },
        "panels": [panel(1, 0), panel(2, 8)],
    }


def panel(identity: int, x: int) -> dict[str, Any]:
    """Return a small panel as Grafana writes it."""
    return {
        "id": identity,
        "title": f"Panel {identity}",
        "description": "It shows something.",
        "type": "stat",
        "gridPos": {"x": x, "y": 0, "w": 8, "h": 4},
        "fieldConfig": {
            "defaults": {
                "unit": "s",
                "thresholds": {
                    "mode": "absolute",
                    "steps": [{"color": "green", "value": None}, {"color": "red", "value": 1}],
                },
            }
        },
        "targets": [{"refId": "A", "expr": 'up{job=~"$model"}'}],
    }


def lost(before: object, after: object, place: str = "") -> Iterator[str]:
    """Yield where ``after`` lacks or changes what ``before`` says; what is empty or false may be left out."""
    if isinstance(before, dict):
        for key, value in before.items():
            if isinstance(after, dict) and key in after:
                yield from lost(value, after[key], f"{place}.{key}")
            elif value not in ([], {}, False, 0, None, ""):
                yield f"{place}.{key}"
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for one, other in zip(before, after, strict=True):
            yield from lost(one, other, f"{place}[]")
    elif before != after:
        yield f"{place}: {before!r} became {after!r}"


def through_grafanas_types(dashboard: dict[str, Any]) -> dict[str, Any]:
    """Return a dashboard as Grafana's generated types for Python read and write it."""
    register_default_plugins()
    read = sdk.Dashboard.from_json(json.loads(json.dumps(dashboard)))
    written: dict[str, Any] = json.loads(json.dumps(read, cls=JSONEncoder))
    return written


def test_there_are_the_five_dashboards() -> None:
    """Overview, Model, Drift, SLO and Host are there, each under a uid of its own that stays."""
    assert {board.uid: board.title for board in BOARDS} == {
        f"firedrill-{name}": f"Firedrill / {title}"
        for name, title in (
            ("overview", "Overview"),
            ("model", "Model"),
            ("drift", "Drift"),
            ("slo", "SLO"),
            ("host", "Host"),
        )
    }


@by_name
def test_file_is_in_normal_form(path: Path) -> None:
    """A file is written as `python -m stack.dashboards` writes it, so that a change shows what changed."""
    text = path.read_text(encoding="utf-8")
    assert text == normal_form(text), f"run: python -m stack.dashboards {path.relative_to(ROOT)}"


@by_name
def test_grafanas_own_types_know_every_field(path: Path) -> None:
    """Read and written by Grafana's generated types, a dashboard is the same: they know each of its fields."""
    before = json.loads(path.read_text(encoding="utf-8"))
    assert list(lost(before, through_grafanas_types(before))) == []
    assert before["schemaVersion"] == sdk.Dashboard().schema_version


def test_grafanas_own_types_notice_a_wrong_field() -> None:
    """The check above fails for a misspelt field, wherever it stands."""
    wrong = json.loads((FOLDER / "overview.json").read_text(encoding="utf-8"))
    series = next(each for each in wrong["panels"] if each["type"] == "timeseries")
    for place in (
        series,
        series["options"],
        series["targets"][0],
        series["fieldConfig"]["defaults"],
        series["fieldConfig"]["defaults"]["custom"],
    ):
        place["colour"] = "green"
    assert len(list(lost(wrong, through_grafanas_types(wrong)))) == 5


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_dashboard_keeps_the_common_rules(board: Dashboard) -> None:
    """It refreshes every ten seconds, explains each panel, and each of its variables is used."""
    assert board.refresh_s == 10.0
    assert board.tags == ("firedrill",)
    assert [variable.name for variable in board.variables if variable.kind is VariableKind.DATA_SOURCE] == [
        "datasource"
    ]
    text = (FOLDER / f"{board.uid.removeprefix('firedrill-')}.json").read_text(encoding="utf-8")
    assert all(f'"${{{variable.name}}}"' in text or f"${variable.name}" in text for variable in board.variables)
    assert {mark.name for mark in board.marks} == {"Faults", "Alerts firing"}
    raw = json.loads(text)
    assert {json.dumps(each["datasource"]) for each in raw["panels"]} == {
        '{"type": "prometheus", "uid": "${datasource}"}'
    }
    for each in board.panels:
        assert each.description.endswith("."), each.title
        assert len(each.description) > 10, each.title
        assert len(each.queries) == 1 or all(query.legend for query in each.queries), each.title
        assert (each.kind is PanelKind.TABLE) == bool(each.columns), each.title
    coloured = [each for each in board.panels if len(each.look.steps) > 1]
    assert len(coloured) * 4 >= len(board.panels), "thresholds with colours"


def test_units_are_among_grafanas() -> None:
    """The unit of each panel is an id of one that Grafana knows."""
    known = {value for name, value in vars(units).items() if isinstance(value, str) and not name.startswith("_")}
    assert {each.look.unit for board in BOARDS for each in board.panels} <= known


def test_every_kind_of_drawing_is_used() -> None:
    """The dashboards use each kind of panel that they may, and no other (reading refuses others)."""
    assert {each.kind for board in BOARDS for each in board.panels} == set(PanelKind)


@pytest.mark.parametrize("question", QUESTIONS, ids=str)
def test_query_selects_a_job_and_fits_every_pace(question: Question) -> None:
    """A query chooses its job, asks for predictions by the one selector, and has no window of fixed length."""
    assert not re.search(r"\[\d", question.query.expr), "a window in production time would be wrong at workshop pace"
    for node in selectors(question.query.expr):
        name = node.name.partition("{")[0]
        if name in OF_SCRAPES or name == "slo:objective:ratio":
            continue
        job = "node" if name.startswith("node_") else "firedrill"
        assert re.search(rf"\bjob(=|MatchOp\.Equal)'{job}'", node.name), node.name
    if "endpoint=" in question.query.expr:
        assert PREDICTION_ENDPOINTS in question.query.expr


def test_every_series_is_exposed_by_something() -> None:
    """A query names metrics of the service, of the host, recordings of the rules, or what Prometheus itself has."""
    recorded = {
        rule.name
        for path in RULES_DIR.glob("*.yml")
        for group in load_rules(path).groups
        for rule in group.rules
        if isinstance(rule, RecordingRule)
    }
    exposed = {name + ending for name in DEFINITIONS for ending in ("", "_bucket", "_sum", "_count")}
    for board in BOARDS:
        for expr in (*(question.query.expr for question in board.questions()), *(mark.expr for mark in board.marks)):
            for node in selectors(expr):
                name = node.name.partition("{")[0]
                known = name in exposed | recorded | OF_SCRAPES | {FAULT_ACTIVE} or name.startswith("node_")
                assert known, f"{board.title}: nothing exposes {name}"


def test_every_metric_of_the_service_is_used() -> None:
    """Each metric stands in a rule or on a dashboard: one that nobody looks at is a cost without a use."""
    files = [*RULES_DIR.glob("*.yml"), *FILES]
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    assert [name for name in DEFINITIONS if not re.search(rf"\b{name}(_bucket|_sum|_count)?\b", text)] == []


def test_pages_table_of_reference_panels_names_real_panels() -> None:
    """Each panel that docs/dashboards.md gives for one of a reference system is there."""
    page = (ROOT / "docs" / "dashboards.md").read_text(encoding="utf-8")
    table = page.partition("## The panels of the reference systems")[2].partition("\n## ")[0]
    named = re.findall(r"^\| [^|]+ \| (\w+): ([^|]+) \|$", table, flags=re.MULTILINE)
    assert len(named) >= 15
    titles = {board.title.removeprefix("Firedrill / "): {each.title for each in board.panels} for board in BOARDS}
    assert [(board, title) for board, title in named if title not in titles.get(board, set())] == []


def test_pages_list_of_panels_is_complete() -> None:
    """docs/dashboards.md names every panel of every dashboard, with its number of queries."""
    page = (ROOT / "docs" / "dashboards.md").read_text(encoding="utf-8")
    for board in BOARDS:
        section = page.partition(f"### {board.title.removeprefix('Firedrill / ')}\n")[2].partition("\n### ")[0]
        missing = [each.title for each in board.panels if each.title not in section]
        assert not missing, f"{board.title}: {missing}"


def _twice_the_same_id(one: dict[str, Any]) -> None:
    one["panels"][1]["id"] = 1


def _overlap(one: dict[str, Any]) -> None:
    one["panels"][1]["gridPos"]["x"] = 7


def _over_the_edge(one: dict[str, Any]) -> None:
    one["panels"][1]["gridPos"]["x"] = 20


def _unknown_variable(one: dict[str, Any]) -> None:
    one["panels"][0]["targets"][0]["expr"] = 'up{job=~"$modle"}'


def _unknown_kind(one: dict[str, Any]) -> None:
    one["panels"][0]["type"] = "geomap"


def _falling_thresholds(one: dict[str, Any]) -> None:
    one["panels"][0]["fieldConfig"]["defaults"]["thresholds"]["steps"].append({"color": "blue", "value": 0.5})


def _no_query(one: dict[str, Any]) -> None:
    one["panels"][0]["targets"] = []


def _twice_the_same_query(one: dict[str, Any]) -> None:
    one["panels"][0]["targets"] *= 2


def _strange_variable(one: dict[str, Any]) -> None:
    one["templating"]["list"][0]["query"] = "query_result(up)"


def _strange_refresh(one: dict[str, Any]) -> None:
    one["refresh"] = "often"


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_twice_the_same_id, "the id 1 is there twice"),
        (_overlap, "'Panel 1' and 'Panel 2' stand on one another"),
        (_over_the_edge, "reaches over the right edge"),
        (_unknown_variable, "query A uses $modle; expected one of"),
        (_unknown_kind, "panels.0.type"),
        (_falling_thresholds, "thresholds do not rise"),
        (_no_query, "panels.0.targets"),
        (_twice_the_same_query, "two queries are called A"),
        (_strange_variable, "not label_values(selector, label)"),
        (_strange_refresh, "'often' is not a duration"),
    ],
)
def test_what_cannot_be_drawn_is_refused(spoil: Callable[[dict[str, Any]], None], says: str) -> None:
    """A dashboard with a mistake is refused with the file, the place and what was found."""
    spoilt = document()
    read_dashboard(json.dumps(spoilt), Path("one.json"))
    spoil(spoilt)
    with pytest.raises(BadDashboard) as caught:
        read_dashboard(json.dumps(spoilt), Path("one.json"))
    assert str(caught.value).startswith("one.json: ")
    assert says in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", '"text"', "{}"], ids=["empty", "broken", "list", "text", "nothing"])
def test_what_is_no_dashboard_is_refused(text: str) -> None:
    """Anything else than a dashboard is refused with the file's name, never with a traceback of the reader."""
    with pytest.raises(BadDashboard, match=r"^one\.json: "):
        read_dashboard(text, Path("one.json"))


def test_missing_file_and_empty_folder_are_named(tmp_path: Path) -> None:
    """A file that is not there and a folder without a dashboard are said by name."""
    with pytest.raises(BadDashboard, match="there is no such file"):
        load_dashboard(tmp_path / "none.json")
    with pytest.raises(BadDashboard, match="there is no dashboard in it"):
        load_dashboards(tmp_path)


def test_command_puts_an_export_into_normal_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a Grafana exported becomes the file as it is kept; what is no dashboard is reported and left alone."""
    kept, broken = tmp_path / "host.json", tmp_path / "broken.json"
    shutil.copy(FOLDER / "host.json", kept)
    before = kept.read_text(encoding="utf-8")
    exported = json.dumps({"version": 7, "id": 12, **json.loads(before)})
    kept.write_text(exported, encoding="utf-8")
    broken.write_text("{}", encoding="utf-8")
    assert main([str(kept), str(broken)]) == 1
    assert kept.read_text(encoding="utf-8") == before
    assert broken.read_text(encoding="utf-8") == "{}"
    said = capsys.readouterr()
    assert "Firedrill / Host, 16 panels" in said.out
    assert str(broken) in said.err
    assert main([str(kept)]) == 0


@pytest.mark.parametrize(
    ("view", "rate_interval", "interval", "length"),
    [
        (View.spanning(900.0, PRODUCTION.interval_s), "1m", "15s", "15m"),
        (View.spanning(900.0, WORKSHOP.interval_s), "4s", "3s", "15m"),
        (View.spanning(60.0, WORKSHOP.interval_s), "4s", "1s", "1m"),
        (View.spanning(86400.0, PRODUCTION.interval_s), "5m3s", "4m48s", "1d"),
    ],
    ids=["production", "workshop", "a minute", "a day"],
)
def test_windows_follow_the_time_range_and_the_pace(view: View, rate_interval: str, interval: str, length: str) -> None:
    """A rate looks back one step and one scrape, and four scrapes at least; the range is that of the dashboard."""
    board = read_dashboard(json.dumps(document()), Path("one.json"))
    assert substituted("rate(x[$__rate_interval])", board, view) == f"rate(x[{rate_interval}])"
    assert substituted("rate(x[${__interval}])", board, view) == f"rate(x[{interval}])"
    assert (
        substituted("increase(x[$__range]) / $__range_s", board, view) == f"increase(x[{length}]) / {view.range_s:.0f}"
    )


def _board(variable: Variable) -> Dashboard:
    return Dashboard("u", "t", "d", (), 10.0, 60.0, (), (variable,), ())


ONE = Variable("model", "Model", VariableKind.QUERY, "model_loaded", "model_name")
MANY = Variable("model", "Model", VariableKind.QUERY, "model_loaded", "model_name", multiple=True, all_value=".*")


@pytest.mark.parametrize(
    ("variable", "chosen", "expr", "expected"),
    [
        (MANY, None, 'x{m=~"$model"}', 'x{m=~".*"}'),
        (MANY, ["iris"], 'x{m=~"$model"}', 'x{m=~"iris"}'),
        (MANY, ["iris", "churn"], 'x{m=~"${model}"}', 'x{m=~"(iris|churn)"}'),
        (MANY, ["a.b"], 'x{m=~"$model"}', r'x{m=~"a\\.b"}'),
        (MANY, ["a.b"], 'x{m=~"${model:raw}"}', 'x{m=~"a.b"}'),
        (ONE, ["a.b"], 'x{m="$model"}', 'x{m="a.b"}'),
        (ONE, ["a.b"], 'x{m=~"${model:regex}"}', r'x{m=~"a\\.b"}'),
        (
            ONE,
            ["iris"],
            'label_replace(x{m="$model"}, "a", "$1", "b", "(.*)")',
            'label_replace(x{m="iris"}, "a", "$1", "b", "(.*)")',
        ),
    ],
)
def test_variables_are_put_in(variable: Variable, chosen: list[str] | None, expr: str, expected: str) -> None:
    """All, one and several values stand in a query as Grafana writes them; a group of a regular expression stays."""
    view = View.spanning(60.0, 1.0, chosen={} if chosen is None else {"model": chosen})
    assert substituted(expr, _board(variable), view) == expected


@given(st.lists(st.text('ab.*+?()[]{}|^$\\/-_"', min_size=1, max_size=8), min_size=1, max_size=3, unique=True))
def test_chosen_values_match_themselves_alone(values: list[str]) -> None:
    """Whatever a model is called, the matcher that its choice makes parses and matches exactly the chosen names."""
    view = View.spanning(60.0, 1.0, chosen={"model": values})
    parsed = promql_parser.parse(substituted('x{m=~"$model"}', _board(MANY), view))
    (matcher,) = parsed.matchers.matchers
    pattern = re.compile(matcher.value)
    assert all(pattern.fullmatch(value) for value in values)
    for other in ("a", "ab", "x", "", ".", "a.b"):
        assert bool(pattern.fullmatch(other)) == (other in values)


def test_variable_without_a_value_is_refused() -> None:
    """A variable that nobody knows or gives a value, and a form that nobody knows, are refused by name."""
    view = View.spanning(60.0, 1.0)
    with pytest.raises(UnknownVariable, match=r"\$other has no value in 'x\{m=\"\$other\"\}'; expected one of model"):
        substituted('x{m="$other"}', _board(MANY), view)
    with pytest.raises(UnknownVariable, match=r"\$model has no value"):
        substituted('x{m="$model"}', _board(ONE), view)
    with pytest.raises(UnknownFormat, match="csv"):
        substituted('x{m="${model:csv}"}', _board(MANY), view)


def test_series_are_called_by_their_legend() -> None:
    """A legend's labels are filled in, one that a series lacks is empty; without a legend all labels stand there."""
    labels = {"__name__": "x", "model_name": "iris", "feature": "sepal"}
    assert legend("{{model_name}}: {{ feature }}", labels) == "iris: sepal"
    assert legend("{{class}}!", labels) == "!"
    assert legend("", labels) == "feature=sepal, model_name=iris"
    assert legend("", {"__name__": "x"}) == "value"


def test_value_has_the_colour_of_its_threshold() -> None:
    """A value takes the colour of the highest step that it reaches, and a text's own where it has one."""
    look = Look(steps=(Step(NO_LOWER_BOUND, "green"), Step(0.5, "red")), texts=(Text(0.0, "down", "blue"),))
    assert [look.color(value) for value in (-1.0, 0.0, 0.49, 0.5, 9.0)] == ["green", "blue", "green", "red", "red"]
    assert look.color(float("nan")) is None
    assert Look().color(1.0) is None


def test_values_of_a_variable_are_asked_for_by_its_label() -> None:
    """The query behind a choice gives one series for each value, with the value in its label."""
    (variable,) = {v for board in BOARDS for v in board.variables if v.name == "model"}
    assert variable.expr == 'group by (model_name) (model_loaded{job="firedrill"})'
    assert Query("A", variable.expr).expr == variable.expr
