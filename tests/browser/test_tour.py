"""The tour in Chromium on a real stack: exercises by their buttons, until everything is seen and clean again.

Buttons are pressed with the keyboard, as everything must be reachable that way.
"""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from panel.workshop.exercise import Exercise, Light, exercises
from tests.levels import thorough
from tests.live.conftest import LiveStack, until

pytestmark = [pytest.mark.live, pytest.mark.browser, pytest.mark.timeout(600)]
SOON_MS = 90_000
RINGS_MS = 180_000


def open_exercise(page: Page, stack: LiveStack, exercise: str, **more: str) -> None:
    """Open the tour at one exercise by its address, as a link in a chat would."""
    page.set_default_timeout(SOON_MS)
    rest = "".join(f"&{name}={value}" for name, value in more.items())
    page.goto(stack.endpoints.url("panel", f"/tour?exercise={exercise}{rest}"))
    expect(page.get_by_role("radio", name=exercise, exact=True)).to_be_checked(timeout=SOON_MS)


def seen(page: Page, says: str) -> None:
    """Wait until a condition is met."""
    expect(page.locator(".fd-checks li").filter(has_text=f"✓ {says}")).to_be_visible(timeout=RINGS_MS)


def light_it(page: Page, light: Light) -> None:
    """Press the button that lights a fault, once more where a busy browser has swallowed it."""
    burning = page.get_by_role("button", name=f"Put out: {light.label}")
    for _ in range(3):
        if not burning.count():
            page.get_by_role("button", name=light.label).press("Enter")
        try:
            expect(burning).to_be_visible(timeout=SOON_MS / 3)
        except AssertionError:
            continue
        return
    expect(burning).to_be_visible(timeout=SOON_MS)


def put_out(page: Page) -> None:
    """Press the button that puts the exercise's fault out, unless it has ended by itself meanwhile."""
    button = page.get_by_role("button", name=re.compile("Put out: "))
    if button.count():
        button.first.press("Enter")
    expect(button).to_have_count(0, timeout=SOON_MS)


def enter_trace(page: Page, stack: LiveStack, fault: str) -> None:
    """Enter the id of a trace that a fault hit, or of any."""
    trace = until(lambda: _trace_with(stack, fault), f"a trace hit by {fault or 'nothing'}")
    box = page.get_by_role("textbox", name="Id of the trace that you found")
    box.fill(trace)
    box.press("Enter")


def _trace_with(stack: LiveStack, fault: str) -> str:
    from stack.clients.jaeger import JaegerClient  # noqa: PLC0415 - beside the fixture of the same name

    with JaegerClient(stack.endpoints.url("tracestore")) as client:
        tags = {"fault.kind": fault} if fault else {}
        found = client.search("firedrill", operation="model_prediction", tags=tags, limit=1)
    return found[0].trace_id if found else ""


def walk(page: Page, stack: LiveStack, exercise: Exercise) -> None:
    """Do one exercise from beginning to end by its buttons."""
    open_exercise(page, stack, str(exercise.number))
    last = len(exercise.seen) - 1
    if exercise.offers:
        page.get_by_role("button", name="Load the practice rules").press("Enter")
    for name, light in exercise.lights.items():
        light_it(page, light)
        after = [each for each in exercise.seen[:last] if not each.of or each.of == name]
        for each in after:
            if each.see == "found":
                enter_trace(page, stack, getattr(each, "fault", ""))
            if not (each.see == "alert" and getattr(each, "stage", "") == "resolved"):
                seen(page, each.says)
        put_out(page)
    if not exercise.lights:
        enter_trace(page, stack, "")
    for each in exercise.seen:
        seen(page, each.says)
    expect(page.get_by_text(f"{len(exercise.seen)} of {len(exercise.seen)} seen")).to_be_visible(timeout=SOON_MS)
    expect(page.get_by_text(re.compile(r"done: [1-9]"))).to_be_visible(timeout=SOON_MS)
    assert f"done={exercise.number}" in page.url
    if exercise.offers:
        page.get_by_role("button", name="Take the practice rules away").press("Enter")
        expect(page.get_by_role("button", name="Load the practice rules")).to_be_visible(timeout=SOON_MS)


@pytest.mark.parametrize(
    "exercise",
    [pytest.param(each, marks=thorough) for each in exercises()],
    ids=lambda each: each.title,
)
def test_an_exercise_is_walked_by_its_buttons(page: Page, stack: LiveStack, exercise: Exercise) -> None:
    """Light, see everything that there is to see, put out, and be told that it is clean."""
    stack.conductor().reset(actor="test")
    walk(page, stack, exercise)


@thorough
def test_every_exercise_lights_by_its_button_and_one_button_resets_all(page: Page, stack: LiveStack) -> None:
    """Each exercise's faults act when lit; the leader's reset ends all of it and proves it; a preset sets traffic."""
    for exercise in exercises():
        open_exercise(page, stack, str(exercise.number))
        for light in list(exercise.lights.values())[:1]:
            light_it(page, light)
            seen(page, next(each.says for each in exercise.seen if each.see == "hit"))
    open_exercise(page, stack, "6")
    page.get_by_role("button", name="Load the practice rules").press("Enter")
    seen(page, "The practice rules are loaded.")
    open_exercise(page, stack, "Leader")
    page.get_by_role("button", name="Busy").press("Enter")
    expect(page.get_by_text(re.compile("Traffic now: 50 requests a second"))).to_be_visible(timeout=SOON_MS)
    page.get_by_role("button", name="Reset to a clean state").press("Enter")
    expect(page.get_by_text(re.compile("clean, proven in"))).to_be_visible(timeout=RINGS_MS)
    expect(page.get_by_text(re.compile("Traffic now: 5 requests a second"))).to_be_visible(timeout=SOON_MS)
    conductor = stack.conductor()
    assert not [each for each in conductor.faults() if each.state == "active"]
    until(lambda: not [a for a in conductor.alerts() if a.alert.startswith("Practice")], "the practice rules to go")


@thorough
def test_the_projector_s_look_is_kept_from_page_to_page(page: Page, stack: LiveStack, chromium: Browser) -> None:
    """Larger type by one switch, in the address, on every page and for whoever opens the link; off by the same."""
    page.set_default_timeout(SOON_MS)
    size = "() => parseFloat(getComputedStyle(document.documentElement).fontSize)"
    expect(page.get_by_text("Stack").first).to_be_visible(timeout=SOON_MS)
    before = page.evaluate(size)
    switch = page.get_by_role("radio", name="projector")
    switch.press("Enter")
    page.wait_for_function(f"() => ({size})() > {before} + 1", timeout=SOON_MS)
    assert "view=projector" in page.url
    page.get_by_role("navigation").get_by_role("link", name="Faults").click()
    expect(page.get_by_text("Light a fault").first).to_be_visible(timeout=SOON_MS)
    assert page.evaluate(size) > before + 1
    page.wait_for_url(re.compile("view=projector"), timeout=SOON_MS)
    other = chromium.new_page()
    other.goto(page.url)
    other.wait_for_function(f"() => ({size})() > {before} + 1", timeout=SOON_MS)
    other.close()
    switch.press("Enter")
    page.wait_for_function(f"() => ({size})() < {before} + 1", timeout=SOON_MS)
