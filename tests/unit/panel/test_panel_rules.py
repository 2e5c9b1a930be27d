"""The rules page in Streamlit's own runner: what it says of good and bad rules, and one check for all who ask."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from canned_pages import Open, said
from canned_worlds import lively

from panel import deps, roles, sources
from panel.rulebook.book import Rulebook
from panel.rulebook.texts import RuleText
from tests.levels import thorough
from tests.unit.faults.small_sweeps import RULES

if TYPE_CHECKING:
    from streamlit.proto.WidgetStates_pb2 import WidgetState
    from streamlit.testing.v1 import AppTest
    from streamlit.testing.v1.element_tree import FileUploader

MINE = RuleText("mine.yml", RULES)
BAD_YAML = "groups:\n  - name: a\n   rules: []\n"
BAD_PROMQL = "groups:\n  - name: a\n    rules:\n      - alert: A\n        expr: sum(up\n"
ONE_FAULT = {"rules-faults": "error (exception)", "rules-for": "10 min"}


@pytest.fixture
def book(tmp_path: Path) -> Rulebook:
    """Return a rulebook that nobody asks to try anything."""
    kept = Rulebook(tmp_path)
    kept.texts.put(MINE)
    return kept


@pytest.fixture
def able(trained: Path) -> Iterator[Rulebook]:
    """Return a rulebook with real processes, which keeps nothing on the disk; shared by all viewers of a test."""
    kept = Rulebook(trained, jobs=1, cached=False)
    kept.texts.put(MINE)
    yield kept
    for job in kept.workbench.waiting():
        kept.workbench.cancel(job.key)


def opened(open_page: Open, book: Rulebook, **query: str) -> AppTest:
    """Open the page on that rulebook."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "Rulebook", lambda *_args, **_options: book)
        test = open_page(lively(), "rules", **query)
    assert not test.exception
    return test


def address(test: AppTest) -> str:
    """Return which rules the address names; the runner gives it as text or in a list."""
    found = test.query_params["rules"]
    return found if isinstance(found, str) else found[0]


def pressed(test: AppTest, label: str) -> AppTest:
    """Press a button by its label."""
    return next(button for button in test.button if button.label == label).click().run()


def late(test: AppTest, *gone: WidgetState, uploader: FileUploader | None = None) -> AppTest:
    """Refresh the page as a browser does that has not heard yet that these fields are gone: it still sends them.

    ``uploader``: one that is gone too; its file is still there.
    """
    states = test._tree.get_widget_states()
    states.widgets.extend(gone)
    with pytest.MonkeyPatch.context() as patch:
        if uploader is not None:
            states.widgets.append(uploader._widget_state)
            patch.setattr(type(test._tree), "file_uploader", [uploader])
        return test._run(states)


def test_the_first_look_shows_the_shipped_rules(open_page: Open) -> None:
    """They can be loaded; the address names them; nothing was tried."""
    test = open_page(lively(), "rules")
    assert not test.exception
    words = said(test)
    assert "✓ loadable" in words
    assert "**firedrill.yml**: 17 alerts" in words
    assert address(test) == "firedrill"
    assert not deps.sources().rulebook.workbench.waiting()


@pytest.mark.parametrize(
    ("body", "place", "what"),
    [(BAD_YAML, "line 3, column 4", "it is not YAML"), (BAD_PROMQL, "line 5, column", "expected a PromQL expression")],
)
def test_what_cannot_be_loaded_is_shown_with_its_line(
    open_page: Open, book: Rulebook, body: str, place: str, what: str
) -> None:
    """Pasted text is read at once; every other step says that the rules come first."""
    test = opened(open_page, book, rules=MINE.id)
    test.text_area[0].set_value(body).run()
    words = said(test)
    assert "✗ not loadable" in words
    assert place in words
    assert what in words.replace("\\", "")
    assert any(str(code.value).startswith(f"{place.split()[1].strip(',')} | ") for code in test.code)
    test.session_state["rules-step"] = "Check"
    test.run()
    assert not test.exception
    assert "mend them under *Rules* first" in said(test)
    assert not [button for button in test.button if button.label == "Check"]


def test_findings_stand_beside_the_text(open_page: Open, book: Rulebook) -> None:
    """Of an example with mistakes: under its own dialect, with what comes of them."""
    test = opened(open_page, book, rules="mlops")
    assert test.selectbox("rules-dialect").value == "mlops"
    words = said(test)
    assert "HighPredictionLatency" in words
    assert "✗ error" in words
    test.selectbox("rules-example-mlops").set_value("gateway").run()
    assert address(test) == "gateway"
    assert test.selectbox("rules-dialect").value == "gateway"
    assert "dialect gateway" in test.text_area[0].value


def test_a_late_browser_does_not_bring_back_an_example(open_page: Open, book: Rulebook) -> None:
    """Neither the one that was shown before an upload, nor one that was chosen before it."""
    test = opened(open_page, book, rules="firedrill")
    shown = test.selectbox("rules-example-firedrill")._widget_state
    test.file_uploader[0].upload(MINE.name, MINE.body.encode()).run()
    assert address(test) == MINE.id
    assert address(late(test, shown)) == MINE.id
    test.selectbox(f"rules-example-{MINE.id}").set_value("firedrill").run()
    picker = test.selectbox("rules-example-firedrill").set_value("mlops")
    chosen = picker._widget_state
    picker.run()
    assert address(test) == "mlops"
    test.file_uploader[0].upload("other.yml", MINE.body.encode()).run()
    assert address(late(test, chosen)) == RuleText("other.yml", MINE.body).id
    assert "**other.yml**" in said(test)


def test_a_late_browser_does_not_bring_back_an_upload(open_page: Open, book: Rulebook) -> None:
    """Nor does a field with an example's own text make the example a text of one's own."""
    test = opened(open_page, book, rules="firedrill")
    uploader = test.file_uploader[0].upload(MINE.name, MINE.body.encode())
    uploader.run()
    assert address(test) == MINE.id
    test.selectbox(f"rules-example-{MINE.id}").set_value("gateway").run()
    area = test.text_area[0]._widget_state
    test.session_state["rules-step"] = "Check"
    test.run()
    assert address(test) == "gateway"
    assert address(late(test, area, uploader=uploader)) == "gateway"
    assert not test.exception


def test_an_address_that_is_not_known_any_more_says_so(open_page: Open, book: Rulebook) -> None:
    """And the page is not empty."""
    test = opened(open_page, book, rules="0123456789abcdef")
    assert "are not kept here any more" in said(test)
    assert address(test) == "firedrill"


@thorough
def test_one_check_for_two_viewers(open_page: Open, able: Rulebook) -> None:
    """A reader cannot start it; an operator can; both see verdicts, chart, matrix and what to take along."""
    asked = {"rules": MINE.id, "rules-step": "Check", **ONE_FAULT}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(roles, "role", lambda: "reader")
        reader = opened(open_page, able, **asked)
        (button,) = [button for button in reader.button if button.label == "Check"]
        assert button.disabled
    first = opened(open_page, able, **asked)
    assert "Tries 2 worlds" in said(first)
    pressed(first, "Check")
    (job,) = able.workbench.waiting()
    assert [button.label for button in first.button if button.label == "Cancel"]
    deadline = time.monotonic() + 200.0
    while not (known := able.workbench.job(job.key)) or not known.over:
        assert time.monotonic() < deadline, "the check did not end"
        time.sleep(0.05)
    for viewer in (first.run(), opened(open_page, able, **asked)):
        assert not viewer.exception
        words = said(viewer)
        assert "✓ fires" in words
        assert "▲ false alarm" in words
        assert "– not covered" in words
        assert "NotOurs" in words
        assert viewer.selectbox("rules-alert").options[0] == "Errors"
        assert "Fires from" in words
    assert len(able.workbench.finished()) == 1
    first.session_state["rules-step"] = "Matrix"
    first.run()
    assert not first.exception
    assert {metric.label: metric.value for metric in first.metric}["False alarms"] == "1"
    first.session_state["rules-step"] = "Take along"
    first.run()
    assert not first.exception
    assert "promtool has passed" in said(first)
    assert "None. A repair is offered" in said(first)
    first.session_state["rules-step"] = "Curves"
    first.run()
    assert not first.exception
    assert "probability from 0.001 to 1" in said(first)
