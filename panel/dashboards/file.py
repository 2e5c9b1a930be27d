"""Reads dashboards to draw: those that are shipped, and the JSON that somebody brings. Asks nobody."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache

from pydantic import JsonValue, ValidationError

from panel.dashboards import remarks
from panel.dashboards.board import DRAWN, Board, Panel, Variable
from panel.dashboards.errors import NotADashboard, TooMuch
from panel.dashboards.forms import PanelForm, VariableForm
from stack.dashboards.board import COLUMNS, Place
from stack.dashboards.file import FOLDER
from stack.dashboards.variables import BUILT_IN, names_in
from stack.rules.durations import parse_duration
from stack.rules.errors import BadDuration

MOST_BYTES = 2_000_000
MOST_PANELS = 100
USUAL_WINDOW_S = 900.0
USUAL_REFRESH_S = 10.0
_OWN = "own-"
Piece = Mapping[str, JsonValue]


@cache
def shipped() -> tuple[Board, ...]:
    """Return the dashboards that Grafana gets too, in the order of docs/dashboards.md."""
    order = ("overview", "model", "drift", "slo", "host")
    paths = sorted(FOLDER.glob("*.json"), key=lambda path: (*order, path.stem).index(path.stem))
    return tuple(
        replace(read_board(path.read_text(encoding="utf-8"), path.name), uid=path.stem, shipped=True) for path in paths
    )


def shipped_board(uid: str) -> Board:
    """Return the shipped dashboard of that name, such as ``slo``."""
    return next(board for board in shipped() if board.uid == uid)


def read_board(text: str, name: str) -> Board:
    """Return the dashboard that ``text`` is; ``name`` is what errors call it. Raises ``DashboardError``."""
    if len(text.encode()) > MOST_BYTES:
        raise TooMuch(name, f"{len(text.encode()) / 1e6:.1f} MB", f"{MOST_BYTES / 1e6:g} MB")
    document = _document(text, name)
    raw = [piece for piece in _listed(document.get("panels")) if isinstance(piece, dict)]
    pieces = [*raw, *(inner for piece in raw for inner in _inside(piece))]
    if not pieces:
        raise NotADashboard(name, "it has no panels" if "panels" in document else 'there is no list "panels" in it')
    if len(pieces) > MOST_PANELS:
        raise TooMuch(name, f"{len(pieces)} panels", str(MOST_PANELS))
    variables, strange = _variables(document)
    known = {variable.name for variable in variables} | set(BUILT_IN)
    panels = [_panel(piece, index, known) for index, piece in enumerate(pieces)]
    said = [*remarks.of_board(document), *strange]
    for piece, panel in zip(pieces, panels, strict=True):
        said += [f"{panel.title}: {each}" for each in remarks.of_panel(piece)]
        said += [f"{panel.title}: {panel.problem}"] if panel.problem else []
    return Board(
        _OWN + hashlib.sha256(text.encode()).hexdigest()[:12],
        str(document.get("title") or name).removeprefix("Firedrill / "),
        str(document.get("description") or ""),
        _duration(document.get("refresh"), USUAL_REFRESH_S),
        _duration(str(_piece(document.get("time")).get("from", "")).removeprefix("now-"), USUAL_WINDOW_S),
        tuple(panels),
        variables,
        tuple(said),
    )


def _document(text: str, name: str) -> Piece:
    try:
        document = json.loads(text)
    except ValueError as problem:
        raise NotADashboard(name, f"it is not JSON ({problem})") from None
    except RecursionError:
        raise NotADashboard(name, "it is nested too deeply") from None
    if isinstance(document, dict) and isinstance(document.get("dashboard"), dict):
        document = document["dashboard"]  # as Grafana's API gives it
    if not isinstance(document, dict):
        raise NotADashboard(name, f"it holds a {type(document).__name__}, not an object")
    if "spec" in document and "panels" not in document:
        raise NotADashboard(name, "it is of Grafana's second schema, which has elements in place of panels")
    return document


def _panel(piece: Piece, index: int, known: set[str]) -> Panel:
    """Return a panel; one that cannot be drawn keeps its title and place, and says why in ``problem``."""
    title = str(piece.get("title") or f"Panel {index + 1}")
    try:
        panel = replace(PanelForm.model_validate(piece).made(), id=index, title=title)
    except ValidationError as problem:
        first = problem.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        return Panel(
            index,
            title,
            "",
            str(piece.get("type")),
            Place(0, index * 8, COLUMNS, 8),
            problem=f"{where}: {first['msg']}",
        )
    return replace(panel, problem=_problem(panel, piece, known))


def _problem(panel: Panel, piece: Piece, known: set[str]) -> str:
    if panel.kind not in DRAWN:
        return f"panels of the kind {panel.kind or 'none'!r} are not drawn here"
    if panel.kind in ("row", "text"):
        return ""
    for source in (
        piece.get("datasource"),
        *(_piece(each).get("datasource") for each in _listed(piece.get("targets"))),
    ):
        kind = _piece(source).get("type", "prometheus")
        if kind not in ("prometheus", "datasource"):
            return f"it asks a data source of the kind {kind!r}; only Prometheus is asked here"
    if not panel.queries:
        return "it has no query in PromQL"
    strange = sorted({name for query in panel.queries for name in names_in(query.expr)} - known)
    return f"its query uses {', '.join(f'${name}' for name in strange)}, which has no value here" if strange else ""


def _variables(document: Piece) -> tuple[tuple[Variable, ...], list[str]]:
    """Return the choices, and what of them cannot be had."""
    made: list[Variable] = []
    strange: list[str] = []
    for each in _listed(_piece(document.get("templating")).get("list")):
        name = str(_piece(each).get("name", "?"))
        try:
            made.append(VariableForm.model_validate(each).made())
        except ValidationError as problem:
            strange.append(f"variable {name}: {problem.errors(include_url=False)[0]['msg']}")
        except ValueError as problem:
            strange.append(f"variable {name}: {problem}")
    return tuple(made), strange


def _inside(piece: Piece) -> Sequence[Piece]:
    """Return the panels of a row that Grafana would show folded; here every row is open."""
    inner = [each for each in _listed(piece.get("panels")) if isinstance(each, dict)]
    return inner if piece.get("type") == "row" else []


def _listed(value: JsonValue) -> Sequence[JsonValue]:
    return value if isinstance(value, list) else ()


def _piece(value: JsonValue) -> Piece:
    return value if isinstance(value, dict) else {}


def _duration(value: JsonValue, usual: float) -> float:
    try:
        return parse_duration(str(value)) if value else usual
    except BadDuration:
        return usual
