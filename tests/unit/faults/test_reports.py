"""Reports are drawn from the evidence alone, say what it says, and carry any text unharmed and harmless."""

from __future__ import annotations

import csv
import io
import re
import struct
from collections import Counter
from html.parser import HTMLParser
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest

from faults.drills.evidence import Evidence, StateSpan
from faults.drills.report.batch import Batch, Case, batch_of
from faults.drills.report.compare import compare
from faults.drills.report.compare_pages import compare_html, compare_markdown
from faults.drills.report.html import html
from faults.drills.report.junit import junit
from faults.drills.report.markdown import markdown
from faults.drills.report.pictures import pictures
from faults.drills.report.series import series
from faults.drills.report.svg import svg
from faults.drills.report.timeline import alarm_scene, even_ticks, spread_out, time_ticks
from faults.drills.wire import STAGES, StageTimes
from tests.unit.faults.sample_evidence import FAULT_AT, NASTY, evidence_of, outcome, run_of

VOID = {"meta", "link", "br", "img", "input", "hr"}
ALLOWED = frozenset(
    {"html", "head", "meta", "link", "title", "style", "body", "main", "section", "h1", "h2", "h3", "p", "b", "a"}
    | {"span", "ul", "li", "div", "table", "thead", "tbody", "tr", "th", "td", "i", "code", "pre", "details"}
    | {"summary", "footer", "svg", "defs", "pattern", "rect", "line", "text", "polyline", "polygon", "circle"}
    | {"path", "g"}
)


class Reader(HTMLParser):
    """Reads a page: its tags, its texts, its addresses, and whether every tag is closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: Counter[str] = Counter()
        self.words: list[str] = []
        self.addresses: list[str] = []
        self.attributes: set[str] = set()
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.tags[tag] += 1
        self.attributes |= {name for name, _ in attrs}
        self.addresses += [value or "" for name, value in attrs if name in {"href", "src"}]
        if tag not in VOID and not (self.get_starttag_text() or "").endswith("/>"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """See that it ends what was opened last."""
        assert self._open.pop() == tag, tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag without content."""
        self.tags[tag] += 1
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        """Note a text."""
        self.words.append(data)


def read_xml(text: str | bytes) -> ET.Element:
    """Return the root of a document of our own."""
    return ET.fromstring(text)  # noqa: S314 - made a moment ago, here


def nasty() -> Batch:
    """Return a batch with markup wherever a text of somebody else's may stand."""
    run = run_of("failed", title=NASTY, reason=NASTY, outcomes=[outcome(NASTY, "missed", detail=NASTY)])
    batch = batch_of([evidence_of(run, words=NASTY)], NASTY)
    batch.cases.append(Case(name=NASTY, skipped=NASTY))
    batch.cases.append(Case(name=NASTY, refused=NASTY))
    return batch


def whole() -> Batch:
    """Return a batch with a drill of every standing."""
    failed = run_of("failed", run_id="f", name="fails", reason="it rang late", outcomes=[outcome(verdict="late")])
    aborted = run_of("aborted", run_id="x", name="stopped", outcomes=[outcome(verdict=None)])
    return Batch(
        title="All",
        started_at=FAULT_AT - 10,
        ended_at=FAULT_AT + 90,
        cases=[
            Case(name="small", evidence=evidence_of()),
            Case(name="fails", evidence=evidence_of(failed)),
            Case(name="stopped", run=aborted),
            Case(name="boxed", skipped="no engine is within reach"),
            Case(name="bad", refused="there is no such alert"),
            Case(name="later", left="it was interrupted before"),
        ],
    )


def test_the_page_needs_nothing_but_itself() -> None:
    """No script, no address but links to the stack's pages and places in the page, and a policy that holds it so."""
    page = html(batch_of([evidence_of()], "One"))
    read = Reader(page)
    assert not set(read.tags) - ALLOWED
    kinds = {address for address in read.addresses if not address.startswith(("#", "data:,"))}
    assert kinds == {f"http://127.0.0.1:16686/trace/{'a' * 32}"}
    assert "default-src 'none'" in page.replace("&#x27;", "'")
    assert not re.search(r"url\((?!#)|@import|javascript:", page)
    assert not any(name.startswith("on") for name in read.attributes)


def test_the_page_tells_verdicts_stages_ranges_causes_rules_traces_and_settings() -> None:
    """All that a reader needs when the stack is gone."""
    words = " ".join(Reader(html(whole())).words)
    for said in (
        "it rang late", "no engine is within reach", "there is no such alert", "resolution delivered", "20.0 to 24.0 s",
        "no cause found", "for: 20s", "a" * 32, "workshop", "Linux", "version: 1", "hit by error",
        "2 more spans are left out", "1 passed, 1 failed, 1 aborted, 1 in error, 1 skipped, 1 not run",
    ):  # fmt: skip
        assert said in words, said


def test_nasty_words_stay_words_in_the_page() -> None:
    """Whatever stands in titles, labels, rules or spans, it is text and makes no tag."""
    page = html(nasty())
    read = Reader(page)
    assert not set(read.tags) - ALLOWED
    assert "img" not in read.tags
    assert "script" not in read.tags
    assert any("<img src=" in words for words in read.words)
    assert not any("evil.example" in address for address in read.addresses)
    assert compare_html(evidence_of(words=NASTY), evidence_of(words=f"{NASTY}2")).count("<img") == 0


def test_a_link_that_is_no_web_address_stays_text() -> None:
    """A store that answers with a script for an address gets no link."""
    evidence = evidence_of()
    evidence.traces[0].url = "javascript:alert(1)"
    assert "javascript:" not in " ".join(Reader(html(batch_of([evidence], "t"))).addresses)


@pytest.mark.parametrize("bare", [True, False])
def test_a_run_of_which_little_is_known_is_told_all_the_same(bare: bool) -> None:
    """Without evidence, without a fault, without alerts: a page, Markdown and XML come out."""
    run = run_of("error", outcomes=[], reason="Prometheus is unreachable").model_copy(
        update={"fault_at": None, "rollback_at": None, "ended_at": None}
    )
    empty = Evidence(run=run, gathered_at=run.queued_at, start=run.queued_at, end=run.queued_at, step_s=1.0)
    case = Case(name="small", run=run) if bare else Case(name="small", evidence=empty)
    batch = Batch(title="t", started_at=0.0, ended_at=1.0, cases=[case])
    for written in (html(batch), markdown(batch), junit(batch)):
        assert "Prometheus is unreachable" in written
    if not bare:
        assert series(empty).count("\n") == 1
        assert pictures(empty, "png").keys() == {"alarm"}


def test_the_picture_shows_faults_signals_limits_and_stages_at_their_times() -> None:
    """One picture: the fault from 0 to 30 s, the marks of eight stages, the curve with its hole, the limit."""
    scene = alarm_scene(evidence_of())
    assert (scene.start, scene.end) == (-10.0, 50.0)
    assert [(bar.start, bar.end, bar.kind) for bar in scene.faults[0].bars] == [(0, 30, "fault"), (0, 5, "ramp")]
    assert [mark.stage for mark in scene.alerts[0].marks] == list(STAGES)
    assert scene.plots[0].limit == 0.05
    assert len(scene.plots[0].curves[0].pieces) == 2
    drawn = read_xml(svg(scene))
    kinds = Counter(element.get("class") for element in drawn.iter())
    assert kinds["mark"] == 8
    assert kinds["limit"] == 1
    assert kinds["curve c0"] == 2


def test_several_instances_of_an_alert_share_one_lane() -> None:
    """It is firing where any fires, pending where one is pending and none fires; nothing lies over another."""
    evidence = evidence_of()
    spans = [("pending", 3, 10), ("firing", 10, 20), ("pending", 5, 15), ("firing", 15, 30), ("pending", 28, 40)]
    evidence.alerts[0].states = [
        StateSpan(state="firing" if name == "firing" else "pending", start=FAULT_AT + start, end=FAULT_AT + end)
        for name, start, end in spans
    ]
    bars = [(bar.kind, bar.start, bar.end) for bar in alarm_scene(evidence).alerts[0].bars]
    assert bars == [("pending", 3, 10), ("pending", 30, 40), ("firing", 10, 30)]


def test_flags_keep_their_distance_and_stay_inside() -> None:
    """Eight stages within a second are still eight flags."""
    moved = spread_out([10.0, 10.1, 10.2, 99.0, 99.5], 5.0, 0.0, 100.0)
    assert all(later - earlier >= 5.0 - 1e-9 for earlier, later in pairwise(moved))
    assert moved[0] == 10.0
    assert moved[-1] <= 100.0


@pytest.mark.parametrize(("low", "high"), [(0.0, 0.0), (0.0, 1.0), (-3.0, 4.2), (0.0, 1e-9), (5.0, 1e12), (0.0, 0.05)])
def test_ticks_reach_around_every_value(low: float, high: float) -> None:
    """They rise, are few, and no value lies outside."""
    ticks = even_ticks(low, high)
    assert 2 <= len(ticks) <= 7
    assert list(ticks) == sorted(set(ticks))
    assert ticks[0] <= low <= high <= ticks[-1]


def test_time_ticks_have_zero_and_stay_inside() -> None:
    """For a minute and for a day."""
    for start, end in ((-10.0, 50.0), (-3600.0, 86_400.0), (0.0, 0.5)):
        ticks = time_ticks(start, end)
        assert 0.0 in ticks
        assert len(ticks) <= 11
        assert all(start <= tick <= end for tick in ticks)


def test_markdown_has_tables_that_hold_and_text_that_marks_nothing_up() -> None:
    """Every row has as many cells as its head, and a nasty title is no image, link or tag."""
    told = markdown(whole())
    assert "| firing | 23.0 s |  | 20.0 to 24.0 s | ✓ |" in told
    assert "resolved | 48.0 s | 18.0 s | 1.0 to 3.0 s after put out | ✗ | no cause found" in told
    evil = markdown(nasty())
    outside = re.sub(r"(`{3,})yaml\n.*?\n\1", "", evil, flags=re.DOTALL)
    outside = re.sub(r"(`+).+?\1", "", outside)
    assert not re.search(r"(?<!\\)<(img|/script)", outside)
    assert not re.search(r"(?<!\\)\]\((?!<)", outside)
    for block in (told, re.sub(r"(`{3,})yaml\n.*?\n\1", "", evil, flags=re.DOTALL)):
        width = 0
        for line in block.splitlines():
            if not line.startswith("|"):
                width = 0
                continue
            cells = len(re.findall(r"(?<!\\)\|", line))
            assert width in {0, cells}, line
            width = cells


def results(suite: ET.Element) -> dict[str, str]:
    """Return what each case of a suite ended as."""
    kinds = ("failure", "error", "skipped")
    return {
        case.get("name", ""): next((kind for kind in kinds if case.find(kind) is not None), "passed")
        for case in suite.findall("testcase")
    }


def test_junit_tells_failures_errors_and_skips_apart_and_counts_them() -> None:
    """One case for each drill and each alert; the counts are those of the cases."""
    root = read_xml(junit(whole()))
    alert = 'HighErrorRate{severity="critical"}'
    assert {suite.get("name"): results(suite) for suite in root} == {
        "small": {"the drill": "passed", alert: "passed"},
        "fails": {"the drill": "failure", alert: "failure"},
        "stopped": {"the drill": "error", alert: "skipped"},
        "boxed": {"the drill": "skipped"},
        "bad": {"the drill": "error"},
        "later": {"the drill": "skipped"},
    }
    for suite in root:
        cases = suite.findall("testcase")
        assert int(suite.get("tests", "")) == len(cases)
        for attribute, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.get(attribute, "")) == sum(case.find(kind) is not None for case in cases)
        assert all(float(case.get("time", "")) >= 0 for case in cases)
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("9", "2", "2")


def test_junit_fails_an_alert_that_nobody_expected_and_carries_any_text() -> None:
    """A control character is no reason for a document that cannot be read."""
    run = run_of("failed", outcomes=[outcome(), outcome("Other", "unexpected", expected=False, stages=StageTimes())])
    suite = read_xml(junit(batch_of([evidence_of(run)], "t")))[0]
    assert results(suite)['Other{severity="critical"}'] == "failure"
    evil = read_xml(junit(nasty()))
    message = evil.find("testsuite/testcase/failure")
    assert message is not None
    assert message.get("message") == NASTY.replace("\x07", "\ufffd")


def test_csv_has_every_value_with_its_unit_and_time() -> None:
    """Long format: 58 points of three signals, the limit, states, stages, faults; text survives the round trip."""
    rows = list(csv.DictReader(io.StringIO(series(evidence_of(words=NASTY)))))
    groups = Counter(row["group"] for row in rows)
    assert groups == {"rule": 58, "effect": 58, "service": 58, "limit": 1, "state": 4, "stage": 8, "fault": 2}
    assert {row["unit"] for row in rows if row["group"] == "service"} == {"1/s"}
    firing = next(row for row in rows if row["series"] == "HighErrorRate firing")
    assert float(firing["time_since_fault_s"]) == 23.0
    assert float(firing["time_unix_s"]) == FAULT_AT + 23.0
    assert "evil.example" in rows[0]["labels"]
    formula = evidence_of()
    formula.signals[0].key = "=HYPERLINK(1)"
    assert "'=HYPERLINK(1)" in series(formula)


def test_pictures_are_the_same_bytes_each_time_and_fit_their_content() -> None:
    """Real PNG files of one width, real SVG that parses, names and dollar signs as they are."""
    evidence = evidence_of(run_of(title=f"costs $1_2$ {NASTY}"), words=NASTY)
    painted = pictures(evidence, "png")
    assert painted.keys() == {"alarm", "service"}
    assert painted == pictures(evidence, "png")
    for body in painted.values():
        assert body.startswith(b"\x89PNG\r\n\x1a\n")
        width, height = struct.unpack(">II", body[16:24])
        assert width == 1440
        assert height > 250
    drawn = pictures(evidence, "svg")
    assert drawn == pictures(evidence, "svg")
    assert b"HighErrorRate" in drawn["alarm"]
    assert read_xml(drawn["alarm"]).tag.endswith("svg")


def test_a_comparison_shows_what_differs_and_by_how_much() -> None:
    """Rule text, versions, verdict and every stage; what is the same is not marked."""
    late = outcome(verdict="late", stages=outcome().stages.model_copy(update={"firing": FAULT_AT + 25.5}))
    first = evidence_of()
    second = evidence_of(run_of("failed", run_id="other", outcomes=[late]), words="other", for_s=30.0)
    parts = {part.title: part for part in compare(first, second).parts}
    rule = next(part for title, part in parts.items() if title.startswith("Rule"))
    assert "-        for: 20s" in rule.lines
    assert "+        for: 30s" in rule.lines
    pairs = {pair.name: pair for title, part in parts.items() if title.startswith("Alert") for pair in part.pairs}
    assert pairs["firing, since the fault"].difference == "+2.5 s"
    assert pairs["detection time"].difference == "+2.5 s"
    assert not pairs["pending, since the fault"].differs
    assert pairs["verdict"].differs
    assert [(pair.first, pair.second) for pair in parts["Versions"].pairs] == [("plain", "other")]
    assert "**23.0 s** | **25.5 s** | +2.5 s" in compare_markdown(first, second)
    assert "+2.5 s" in " ".join(Reader(compare_html(first, second)).words)


def test_an_alert_of_one_run_only_is_compared_too() -> None:
    """Runs of two different drills stand side by side."""
    second = evidence_of(run_of(run_id="other", name="another", outcomes=[outcome("Elsewhere")]))
    parts = [part.title for part in compare(evidence_of(), second).parts]
    assert 'Alert HighErrorRate severity="critical"' in parts
    assert 'Alert Elsewhere severity="critical"' in parts


@pytest.mark.parametrize(
    ("standings", "code"),
    [
        (["passed"], 0),
        (["passed", "skipped"], 0),
        (["skipped"], 2),
        (["passed", "failed", "refused"], 1),
        (["passed", "refused"], 2),
        (["passed", "error"], 2),
        (["passed", "aborted"], 130),
        ([], 2),
    ],
)
def test_the_exit_status_says_how_it_went(standings: list[str], code: int) -> None:
    """0 all that ran passed, 1 one failed, 2 one could not run or none did, 130 stopped."""
    cases = {
        "skipped": Case(name="a", skipped="x"),
        "refused": Case(name="a", refused="x"),
        "passed": Case(name="a", run=run_of("passed")),
        "failed": Case(name="a", run=run_of("failed")),
        "aborted": Case(name="a", run=run_of("aborted")),
        "error": Case(name="a", run=run_of("error")),
    }
    batch = Batch(title="t", started_at=0.0, ended_at=1.0, cases=[cases[one] for one in standings])
    assert batch.exit_code() == code
    assert batch.model_copy(update={"interrupted": True}).exit_code() == 130
