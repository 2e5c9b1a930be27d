"""The pages Dashboards, SLOs and Host: with everything up, before anything has happened, and with Prometheus away."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest
from canned_pages import Open, said
from canned_stack import World
from canned_worlds import lively

from panel.dashboards.file import shipped_board

if TYPE_CHECKING:
    from streamlit.testing.v1 import AppTest

PAGES = ("dashboards", "slos", "host")


def written(test: AppTest) -> str:
    """Return what a page says, the HTML of its panels included."""
    return said(test) + "\n".join(str(each.proto.body) for each in test.get("html"))


@pytest.mark.parametrize("page", PAGES)
def test_a_page_with_everything_up_draws_its_panels(open_page: Open, page: str) -> None:
    """Every panel's title is there; faults and alerts of the time are named; nothing is an error."""
    test = open_page(lively(), page)
    assert not test.exception
    words = written(test)
    board = shipped_board({"dashboards": "overview", "slos": "slo", "host": "host"}[page])
    titles = [panel.title for panel in board.panels]
    shown = [title for title in titles if f'fd-ptitle">{title}<' in words]
    assert shown == titles if page != "slos" else len(shown) == 4
    assert "<b>latency</b>" in words
    assert "HighLatency firing" in words
    assert not test.error


@pytest.mark.parametrize("page", PAGES)
def test_a_page_of_an_empty_stack_says_that_there_is_nothing(open_page: Open, page: str) -> None:
    """No value stands for what nobody has measured."""
    test = open_page(World(), page)
    assert not test.exception
    words = written(test)
    expected = {"dashboards": "no data", "slos": "no data is not 100 %", "host": "No part of the stack runs"}
    assert expected[page] in words
    assert "No fault and no firing alert" in words


@pytest.mark.parametrize("page", PAGES)
def test_a_page_without_prometheus_says_what_to_do(open_page: Open, page: str) -> None:
    """It is said once or twice, not once a panel."""
    test = open_page(lively(), page, silent=("prometheus",))
    assert not test.exception
    assert "firedrill up" in said(test)
    assert 1 <= len([each for each in test.error if "unreachable" in each.value]) <= 2


def test_a_chosen_dashboard_and_its_choices_reach_prometheus(open_page: Open) -> None:
    """Address and fields alike: the model that is chosen stands in every query that follows."""
    world = lively()
    test = open_page(world, "dashboards", board="Model")
    assert not test.exception
    assert test.selectbox("board").value == "Model"
    choice = test.multiselect("var-model")
    assert choice.options == ["churn", "iris"]
    world.asked.clear()
    choice.set_value(["iris"]).run()
    asked = [each.query["query"] for each in world.asked if "model_name=~" in each.query.get("query", "")]
    assert asked
    assert all('model_name=~"iris"' in query for query in asked)


def test_what_a_panel_asks_is_sent_when_it_is_opened(open_page: Open) -> None:
    """Description, queries, and the values where no chart offers them; of the panels that are closed, nothing."""
    test = open_page(lively(), "dashboards")
    assert not test.code
    (rate,) = [panel for panel in shipped_board("overview").panels if panel.title == "Request rate"]
    test.session_state[f"about-overview-{rate.id}"] = True
    test.run()
    assert not test.exception
    assert [each.language for each in test.code] == ["promql"]
    assert "rate(http_requests_total" in test.code[0].value
    assert rate.description in said(test)
    assert [each.proto.label for each in test.get("download_button")] == ["Values as CSV"]


def test_only_the_dashboard_that_is_shown_is_asked_and_only_once(open_page: Open) -> None:
    """A second look within the refresh asks nothing: all viewers share one answer."""
    world = lively()
    test = open_page(world, "dashboards", board="Drift")
    queries = [query for panel in shipped_board("drift").panels for query in panel.queries]
    questions = len([query for query in queries if "model_feature" in query.expr])

    def asked() -> int:
        found = [each.query.get("query", "") for each in world.asked if each.path.startswith("/api/v1/query")]
        return len([query for query in found if "model_feature" in query])

    first = asked()
    assert first == questions > 4
    assert not [each for each in world.asked if "node_" in each.query.get("query", "")]
    from panel import deps  # noqa: PLC0415 - seconds of import, which only its worker pays

    for feed in deps.sources().dashboards.panels._feeds.values():
        feed._due = time.time() + 60
    test.run()
    assert asked() == first


def test_a_brought_dashboard_is_drawn_with_what_is_missing(open_page: Open) -> None:
    """It has an address of its own, and names what of its file is not drawn."""
    from panel import deps  # noqa: PLC0415 - seconds of import, which only its worker pays

    test = open_page(lively(), "dashboards", board="Host")
    text = json.dumps(
        {
            "title": "Mine",
            "panels": [
                {"type": "stat", "title": "Five", "targets": [{"refId": "A", "expr": "vector(5)"}]},
                {"type": "canvas", "title": "Odd"},
                {"type": "text", "title": "Words", "options": {"mode": "markdown", "content": "Read *this*."}},
            ],
        }
    )
    board = deps.sources().dashboards.bring(text, "mine.json")
    test.run()
    test.selectbox("board").set_value(f"Mine ({board.uid})").run()
    assert not test.exception
    words = written(test)
    assert "Mine: 3 panels" in words
    assert "panels of the kind &#x27;canvas&#x27; are not drawn here" in words
    assert "Read *this*." in words
    assert "1 thing" in "".join(box.label for box in test.expander)


def test_a_dashboard_that_is_gone_gives_way_to_the_first(open_page: Open) -> None:
    """An address of somebody's dashboard that the panel no longer holds opens the Overview dashboard."""
    test = open_page(lively(), "dashboards", board="Mine (own-0123456789ab)")
    assert not test.exception
    assert test.selectbox("board").value == "Overview"
