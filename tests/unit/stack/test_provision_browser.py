"""Finding and installing Chromium, with small scripts in the place of browsers and installers."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from stack import browser
from stack.provision import find_chromium, install_chromium

CHROMIUM = "#!/bin/sh\necho 'Chromium 156.0.1 built on Debian'\n"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make PATH a folder without any browser, and Playwright's cache an empty one."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in ("sh", "echo", "cp", "chmod"):
        found = shutil.which(tool)
        assert found is not None
        (folder / tool).symlink_to(found)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "playwright"))
    monkeypatch.delenv("FIREDRILL_CHROMIUM", raising=False)
    monkeypatch.delenv("FIREDRILL_OFFLINE", raising=False)
    return folder


def place(file: Path, text: str) -> Path:
    """Write an executable script."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(0o755)
    return file


def test_chromium_is_found_where_it_may_be(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The named one comes before PATH, PATH before Playwright's own."""
    assert find_chromium() is None
    own = place(tmp_path / "playwright" / "chromium-1255" / "chrome-linux64" / "chrome", CHROMIUM)
    assert find_chromium() == own
    on_path = place(path / "google-chrome", CHROMIUM.replace("Chromium", "Google Chrome"))
    assert find_chromium() == on_path
    named = place(tmp_path / "mine", CHROMIUM)
    monkeypatch.setenv("FIREDRILL_CHROMIUM", str(named))
    assert find_chromium() == named


def test_a_browser_that_does_not_run_is_passed_over(path: Path) -> None:
    """A stub that only asks to be installed is no browser."""
    place(path / "chromium-browser", "#!/bin/sh\necho 'requires the chromium snap to be installed' >&2; exit 1\n")
    assert find_chromium() is None


def test_chromium_is_installed_by_the_first_way_that_works(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failing installer is followed by the next one; what that brought is returned."""
    brought = path / "chromium"
    source = place(path.parent / "source", CHROMIUM)
    ways = [["sh", "-c", "echo 'no mirror' >&2; exit 100"], ["sh", "-c", f"cp {source} {brought}"]]
    monkeypatch.setattr(browser, "_installations", lambda: ways)
    said: list[str] = []
    assert install_chromium(said.append) == brought
    assert said == [" ".join(way) for way in ways]


def test_where_no_way_works_the_error_says_what_was_tried(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each attempt and its failure stand in the message, and what to do."""
    monkeypatch.setattr(browser, "_installations", lambda: [["sh", "-c", "echo 'no mirror' >&2; exit 100"]])
    with pytest.raises(browser.ChromiumMissing, match=r"no mirror.*playwright install chromium"):
        install_chromium()


def test_offline_no_browser_is_installed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With ``FIREDRILL_OFFLINE=1`` nothing is run."""
    monkeypatch.setenv("FIREDRILL_OFFLINE", "1")
    said: list[str] = []
    with pytest.raises(browser.ChromiumMissing, match="FIREDRILL_OFFLINE"):
        install_chromium(said.append)
    assert said == []
