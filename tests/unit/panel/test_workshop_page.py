"""The Tour page: an exercise with its buttons and live checks, the leader's scenes and the reset to a clean state."""

from __future__ import annotations

import time

import pytest
from canned_pages import Open, said
from canned_stack import SPEAKING, World
from canned_worlds import alert, lively

from panel import roles
from panel.workshop.exercise import exercises


def told(world: World, method: str, path: str) -> list[dict[str, object]]:
    """Return what was asked of the conductor."""
    return [dict(each.body) for each in world.asked if each.method == method and each.path == path]


def test_an_exercise_is_lit_seen_and_put_out_from_its_page(open_page: Open) -> None:
    """The button lights the exercise's fault, the checks follow it, and the next button puts it out."""
    world = lively()
    world.faults = []
    test = open_page(world, "tour", exercise="2")
    assert not test.exception
    assert "The fault acts." in said(test)
    assert "0 of 8 seen" in str(test.get("progress")[0].proto.text)
    test.button("tour-2-latency").click().run()
    (lit,) = told(world, "POST", "/faults")
    assert lit["kind"] == "latency"
    assert lit["ttl_s"] == 120.0
    mine = world.faults[0].model_copy(
        update={
            "parameters": lit["parameters"], "target": world.faults[0].target.model_copy(update={"model": None}),
            "injections": 4, "started_at": time.time() - 30,
        }
    )  # fmt: skip
    world.faults = [mine]
    world.alerts = [alert("HighLatency", "pending", "Pending for 9 s of 20 s.", pending=time.time() - 9)]
    deadline = time.monotonic() + 20  # what was read a moment ago is still shown for a refresh
    while not ("it has acted 4 times" in (words := said(test)) and "Pending for 9 s of 20 s." in words):
        assert time.monotonic() < deadline, words
        test.run()
    assert "HighLatency is pending, its condition is true." in words
    test.button("tour-2-latency-out").click().run()
    assert told(world, "DELETE", f"/faults/{mine.id}") == [{}]
    assert not test.exception


def test_an_exercise_that_is_done_is_remembered_in_the_address(open_page: Open) -> None:
    """Requests arrive, nothing burns, and a trace was found: exercise 1 is done, and counted beside those before."""
    world = lively()
    world.faults = []
    test = open_page(world, "tour", exercise="1", done="4")
    entry = test.text_input("trace-of-1")
    entry.set_value("what?").run()
    assert "That is no id of a trace" in said(test)
    entry = test.text_input("trace-of-1")
    entry.set_value(f"http://here/traces?trace={3:032x}").run()
    assert not test.exception
    assert "✓ You found a request" in said(test)
    assert test.query_params["done"] in ("1-4", ["1-4"])
    assert "done: 2" in said(test)


def test_one_button_resets_everything_and_says_what_it_proved(open_page: Open) -> None:
    """Faults out, traffic back, proof shown; a scene sets traffic and lights what it says."""
    world = lively()
    test = open_page(world, "tour", exercise="Leader")
    test.button("scene-fire").click().run()
    assert [each["kind"] for each in told(world, "POST", "/faults")] == ["latency", "error", "ood_inputs"]
    assert world.traffic.settings.rate == 20
    test.button("clean").click().run()
    assert told(world, "POST", "/faults/reset") == [{}]
    assert world.traffic.settings.rate == 5
    words = said(test)
    assert "clean, proven in" in words
    assert "4 faults put out" in words
    assert "Alerts not quiet yet" in words
    world.unproven = ("the service does not answer",)
    test.button("clean").click().run()
    assert "not proven clean" in said(test)
    assert "the service does not answer" in said(test)
    assert not test.exception


def test_who_only_looks_on_sees_the_same_without_buttons(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader follows the checks; nothing can be lit, reset or set, and the page says why."""
    monkeypatch.setattr(roles, "may_act", lambda: False)
    test = open_page(lively(), "tour", exercise="6")
    assert test.button("tour-6-error").disabled
    assert test.button("practice-in").disabled
    assert "whoever leads the workshop lights the faults" in said(test)
    test.segmented_control("exercise").set_value("Leader").run()
    assert all(test.button(key).disabled for key in ("clean", "scene-calm", "scene-busy", "scene-fire"))


def test_every_step_leads_to_its_page(open_page: Open) -> None:
    """Where an exercise names a page there is a link to it, whichever exercise is chosen."""
    test = open_page(lively(), "tour")
    for exercise in exercises():
        test.segmented_control("exercise").set_value(str(exercise.number)).run()
        assert not test.exception
        links = [link.proto.label for link in test.get("page_link")]
        assert links == [step.page for step in exercise.steps if step.page]


def test_the_tour_without_sources_claims_nothing(open_page: Open) -> None:
    """With nobody to ask, conditions are not known; no traceback and no tick. The projector's look needs no source."""
    test = open_page(lively(), "tour", silent=SPEAKING, exercise="4", view="projector")
    for exercise in ("4", "Leader"):
        test.segmented_control("exercise").set_value(exercise).run()
        assert not test.exception
        words = said(test)
        assert "seen ·" not in words
        assert "unreachable" in words
    assert any("--fd-scale" in str(each.proto.body) for each in test.get("html"))
