"""What pictures are called and headed by, and what the command says where none can be taken."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from panel.cli import application
from panel.commands.console import CommandError
from panel.pictures import camera as cameras
from panel.pictures.camera import Entry, camera, caption_of
from panel.pictures.errors import BadFolder, NoChromium, PanelAway, UnknownPage
from panel.pictures.folder import prepared, write
from panel.pictures.places import panel_pages
from panel.pictures.shots import PanelPage, Shot, page_named

ALERTS = PanelPage("alerts", "alerts", "Alerts")
PAGES = (PanelPage("overview", "", "Overview"), ALERTS)


def test_every_page_of_the_navigation_can_be_named() -> None:
    """The pages are those of the panel itself, the first one by its title."""
    pages = panel_pages()
    assert [page.name for page in pages][:1] == ["overview"]
    assert {"faults", "alerts", "traces", "drills", "journal"} <= {page.name for page in pages}
    for page in pages:
        assert page_named(page.name, pages)[0] == page


def test_a_page_may_be_named_with_its_query() -> None:
    """The part after the question mark is the page's own; an unknown page is refused with those that there are."""
    assert page_named("Alerts?alert=HighLatency", PAGES) == (ALERTS, {"alert": "HighLatency"})
    assert page_named("/alerts", PAGES) == (ALERTS, {})
    with pytest.raises(UnknownPage, match="'alarms'; it has: overview, alerts"):
        page_named("alarms", PAGES)


def test_file_names_are_stable_and_plain() -> None:
    """Page, query and look make the name; nothing of it can leave the folder."""
    assert Shot(ALERTS).file_name == "alerts-light.png"
    odd = Shot(ALERTS, "dark", phone=True, query={"alert": "../A B"})
    assert odd.file_name == "alerts-alert-A-B-phone-dark.png"
    assert odd.address == "/alerts?alert=..%2FA+B"


def test_the_caption_tells_page_time_pace_and_faults() -> None:
    """What burns and the pace are those of the page's own line of states; the chosen range is named."""
    now = datetime(2026, 11, 21, 19, 30).astimezone()
    strip = "Stack ✓ up\nworkshop pace: 15 times faster\nPrometheus ✓ fresh\nActive: error 42\u00a0s, latency 10\u00a0s"
    head, facts = caption_of(Shot(ALERTS, caption="Group 3"), "Alerts", strip, now.timestamp())
    assert head == "Firedrill · Alerts · Group 3"
    assert facts == f"2026-11-21 19:30:00 UTC{now:%z} · workshop pace · active faults: error 42 s, latency 10 s"
    _, quiet = caption_of(
        Shot(ALERTS, query={"last": "15m"}), "Alerts", "production pace no fault active", now.timestamp()
    )
    assert quiet.endswith("production pace · no fault active · last 15m")


def test_a_folder_that_cannot_be_written_is_refused_before_the_first_picture(tmp_path: Path) -> None:
    """It is made where it is missing; a file in its place is an error that names it; a picture is whole."""
    folder = prepared(tmp_path / "a" / "b")
    assert write(folder, "x.png", b"1").read_bytes() == b"1"
    assert [each.name for each in folder.iterdir()] == ["x.png"]
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(BadFolder, match="--out"):
        prepared(tmp_path / "file" / "below")


def test_without_chromium_the_message_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """The way to get one is named, and the way that needs none."""
    monkeypatch.setattr(cameras, "find_chromium", lambda: None)
    with pytest.raises(NoChromium, match="apt-get install chromium"), camera("http://127.0.0.1:9", Entry()):
        pass


def test_a_panel_that_is_away_is_said_before_a_browser_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody at the address: its name and what to look at."""
    monkeypatch.setattr(cameras, "find_chromium", lambda: Path("/bin/false"))
    with pytest.raises(PanelAway, match="firedrill status"), camera("http://127.0.0.1:9", Entry()):
        pass


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ([], "name pages or give --all"),
        (["overview", "--all"], "name pages or give --all"),
        (["overview", "--last", "soon"], "not a length of time"),
        (["overview", "--from", "12:00"], "belong together"),
        (["overview", "--last", "5m", "--from", "12:00", "--to", "12:01"], "not both"),
        (["overview", "--from", "2026-01-02 12:00", "--to", "2026-01-01 12:00"], "ends before it begins"),
        (["overview", "--url", "panel:8501"], "is no address"),
        (["overview", "--url", "http://me:secret@host:8501"], "must not carry a password"),
        (["overview"], "no stack is running"),
    ],
)
def test_what_cannot_be_done_is_said(
    given: list[str], problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every mistake has its sentence, before anything is written."""
    monkeypatch.setenv("FIREDRILL_HOME", str(tmp_path / "home"))
    result = CliRunner().invoke(application(), ["screenshot", *given, "--out", str(tmp_path / "out")])
    assert isinstance(result.exception, CommandError)
    assert problem in str(result.exception)
    assert "secret" not in str(result.exception)
    assert not (tmp_path / "out").exists()


def test_an_unknown_page_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the pages that there are."""
    monkeypatch.setenv("FIREDRILL_HOME", str(tmp_path / "home"))
    result = CliRunner().invoke(application(), ["screenshot", "alarms"])
    assert isinstance(result.exception, UnknownPage)
    assert "overview" in str(result.exception)
