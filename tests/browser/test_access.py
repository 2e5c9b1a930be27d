"""A panel that is open to a network, in real Chromium: the operator and the audience in windows of their own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.levels import thorough
from tests.live.conftest import LiveStack, free_offset, home_with

pytestmark = [pytest.mark.live, pytest.mark.browser, pytest.mark.timeout(480)]
HOST = "127.0.0.2"
"""An address of this machine that is not the one that needs no login."""
SOON_MS = 120_000
PHONE = {"width": 390, "height": 800}


@dataclass(frozen=True)
class Opened:
    """A stack with an opened panel, and what ``up`` said of it."""

    stack: LiveStack
    site: str
    password: str
    code: str


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory, programs: None, trained: Path) -> Iterator[Opened]:
    """Bring a stack up with its panel open."""
    stack = LiveStack(home_with(trained, tmp_path_factory.mktemp("opened") / "home"), free_offset())
    try:
        up = stack.cli("up", "--detach", "--port-offset", str(stack.offset), "--panel-host", HOST)
        assert up.returncode == 0, up.stdout + up.stderr
        told = {
            word: re.search(rf"^{word}\s+(\S+)", up.stdout, re.MULTILINE) for word in ("operator", "password", "code")
        }
        found = {word: match[1] for word, match in told.items() if match}
        assert set(found) == set(told), up.stdout
        yield Opened(stack, found["operator"].removesuffix("/login"), found["password"], found["code"])
    finally:
        stack.end()


@pytest.fixture
def window(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Return a function that opens a window with cookies of its own."""
    contexts = []

    def opened_window(**options: object) -> Page:
        context = chromium.new_context(**options)  # type: ignore[arg-type]
        context.set_default_timeout(SOON_MS)
        contexts.append(context)
        return context.new_page()

    yield opened_window
    for context in contexts:
        context.close()


def enter(page: Page, address: str, label: str, secret: str) -> None:
    """Come in by the keyboard alone, as a person does."""
    page.goto(address)
    expect(page.get_by_label(label)).to_be_focused()
    page.keyboard.type(secret)
    page.keyboard.press("Enter")


@thorough
def test_operator_and_audience_see_the_same_and_only_one_acts(opened: Opened, window: Callable[..., Page]) -> None:
    """The audience joins by phone with the code that the operator shows, follows a fault, and cannot end it."""
    operator, reader = window(viewport={"width": 1280, "height": 900}), window(viewport=PHONE)
    enter(operator, f"{opened.site}/faults", "Code", "WRONG1")
    expect(operator.get_by_role("alert")).to_contain_text("That is not the code")
    operator.get_by_role("link", name="I run the drill").click()
    enter(operator, operator.url, "Password", opened.password)
    expect(operator).to_have_url(f"{opened.site}/faults")
    operator.get_by_role("button", name="Let the audience in").click(timeout=SOON_MS)
    expect(operator.get_by_text(opened.code, exact=True)).to_be_visible()
    expect(operator.get_by_text(f"{opened.site}/join")).to_be_visible()
    operator.keyboard.press("Escape")

    enter(reader, f"{opened.site}/faults", "Code", f"{opened.code[:3].lower()} {opened.code[3:]}")
    expect(reader.get_by_text("reading along", exact=True)).to_be_visible(timeout=SOON_MS)
    assert reader.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]

    # on a busy machine a minute is over too soon
    operator.get_by_role("spinbutton", name="Time to live (s)").fill("600")
    operator.get_by_role("button", name="Light the fault").press("Enter")
    for page in (operator, reader):
        expect(page.get_by_text(re.compile("Active: [a-z]")).first).to_be_visible(timeout=SOON_MS)
        expect(page.get_by_role("button", name="Put out")).to_be_visible(timeout=SOON_MS)
    expect(reader.get_by_role("button", name="Light the fault")).to_be_disabled()
    expect(reader.get_by_role("button", name="Put out")).to_be_disabled()
    operator.get_by_role("button", name="Put out").press("Enter")
    expect(reader.get_by_text("no fault active", exact=True)).to_be_visible(timeout=SOON_MS)

    operator.close()
    reader.goto(f"{opened.site}/")
    expect(reader.get_by_role("button", name="Put every fault out")).to_be_disabled(timeout=SOON_MS)
    expect(reader.get_by_text("Trace store").first).to_be_visible(timeout=SOON_MS)
    assert reader.locator("a[href^='http://127.0.0.1']").count() == 0
    actors = {entry.actor for entry in opened.stack.conductor().journal(50) if entry.actor in {"panel", "reader"}}
    assert actors == {"panel"}


@thorough
def test_a_new_code_sends_the_audience_away_and_logging_out_ends(opened: Opened, window: Callable[..., Page]) -> None:
    """Without a restart: the old code is worth nothing, the open page loses its connection; the operator stays."""
    operator, reader = window(), window()
    enter(operator, f"{opened.site}/login?next=/journal", "Password", opened.password)
    enter(reader, f"{opened.site}/journal", "Code", opened.code)
    expect(reader.get_by_text("reading along", exact=True)).to_be_visible(timeout=SOON_MS)
    told = opened.stack.cli("access", "--new-code")
    assert told.returncode == 0
    assert opened.code not in told.stdout
    assert opened.password not in told.stdout
    reader.goto(f"{opened.site}/alerts")
    expect(reader.get_by_label("Code")).to_be_visible(timeout=SOON_MS)
    operator.get_by_role("link", name="Log out").click(timeout=SOON_MS)
    operator.get_by_role("button", name="Log out").click()
    operator.goto(f"{opened.site}/")
    expect(operator.get_by_label("Code")).to_be_visible(timeout=SOON_MS)
    log = opened.stack.home.log_file.read_text()
    assert not [each for each in (opened.password, opened.code) if each in log]
