"""The choice of the time range: in the address and back, kept from page to page, and clear about what is wrong."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pytest
from canned_pages import Open, said
from canned_worlds import lively

from panel import formats

if TYPE_CHECKING:
    from streamlit.testing.v1 import AppTest


def chosen(test: AppTest) -> str:
    """Return what the choice of the range shows."""
    return str(test.selectbox("last").value)


def asked(world_asked: list[tuple[str, Mapping[str, str]]]) -> set[float]:
    """Return the lengths of time that Prometheus was asked about, in seconds."""
    return {float(query["end"]) - float(query["start"]) for path, query in world_asked if path.endswith("/query_range")}


def test_the_range_is_that_of_the_address(open_page: Open) -> None:
    """A length of one's own is offered too; another can be chosen; nonsense is not taken."""
    world = lively()
    test = open_page(world, last="10m")
    assert chosen(test) == "10m"
    assert 600.0 in asked([(each.path, each.query) for each in world.asked])
    test.selectbox("last").set_value("1h").run()
    assert not test.exception
    assert 3600.0 in asked([(each.path, each.query) for each in world.asked])
    assert chosen(open_page(lively(), last="soon")) == "5m"


def test_two_moments_make_a_range_that_does_not_move(open_page: Open) -> None:
    """From and to stand in the address; the questions are about that time, and fields show it."""
    world = lively()
    start, end = (formats.day_and_clock(time.time() - back) for back in (200, 80))
    test = open_page(world, **{"from": start, "to": end})
    assert not test.exception
    assert chosen(test) == "custom"
    assert (test.text_input("from").value, test.text_input("to").value) == (start, end)
    assert 120.0 in asked([(each.path, each.query) for each in world.asked])


def test_the_next_page_shows_what_the_last_one_showed(open_page: Open) -> None:
    """Also where the browser has said the usual length once more, which its field showed before."""
    start, end = (formats.day_and_clock(time.time() - back) for back in (200, 80))
    test = open_page(lively(), **{"from": start, "to": end})
    assert chosen(test) == "custom"
    test.query_params.clear()
    test.session_state["last"] = "5m"
    test.session_state["fd-kept-range-on"] = "the page before"
    test.run()
    assert not test.exception
    assert chosen(test) == "custom"
    assert (test.text_input("from").value, test.text_input("to").value) == (start, end)


@pytest.mark.parametrize(
    ("start", "end", "problem"),
    [("soon", "12:00", "`soon` is not a time"), ("2026-11-21 12:00", "2026-11-21 11:00", "ends before it begins")],
)
def test_a_range_that_is_none_is_said(open_page: Open, start: str, end: str, problem: str) -> None:
    """What is wrong stands on the page, which shows the usual range meanwhile."""
    world = lively()
    test = open_page(world, **{"from": start, "to": end})
    assert not test.exception
    assert problem in said(test)
    assert 300.0 in asked([(each.path, each.query) for each in world.asked])


def test_choosing_from_and_to_begins_with_the_last_minutes(open_page: Open) -> None:
    """The fields are filled with what was shown, so that one has something to change."""
    test = open_page(lively(), "alerts")
    test.selectbox("last").set_value("custom").run()
    assert not test.exception
    assert test.text_input("from").value < test.text_input("to").value
    assert "ends before it begins" not in said(test)
