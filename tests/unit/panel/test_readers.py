"""The pages as somebody sees them who reads along: what acts is disabled, and refused where nobody disabled it."""

from __future__ import annotations

import pytest
from canned_pages import Open, said
from canned_stack import World
from canned_worlds import lively

from panel import roles
from panel.access.errors import ReadOnly


def acted(world: World) -> list[tuple[str, str]]:
    """Return what was asked of the conductor beyond reading."""
    return [(each.method, each.path) for each in world.asked if each.method != "GET" and "api" not in each.path]


@pytest.mark.parametrize("page", ["", "faults", "drills"])
def test_whatever_acts_is_disabled_for_a_reader_and_says_why(
    open_page: Open, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    """Every button of these pages acts, except the one that takes a picture, so that none can be pressed."""
    monkeypatch.setattr(roles, "role", lambda: "reader")
    shown = open_page(lively(), page)
    acting = [button for button in shown.button if button.key != "fd-picture-take"]
    assert acting
    for button in acting:
        assert button.disabled, button.label
        assert button.help == f"{ReadOnly()}."


def test_what_nobody_disabled_is_refused_all_the_same(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader presses a button that was left enabled: the page says no, and the stack is not asked."""
    monkeypatch.setattr(roles, "acting", lambda **_: {"disabled": False, "help": None})
    world = lively()
    shown = open_page(world)
    shown.button(key="reset").click().run()
    assert acted(world) == [("POST", "/faults/reset")]  # for the operator it is the button that it says
    monkeypatch.setattr(roles, "role", lambda: "reader")
    shown.button(key="reset").click().run()
    assert acted(world) == [("POST", "/faults/reset")]
    assert str(ReadOnly()) in said(shown)
