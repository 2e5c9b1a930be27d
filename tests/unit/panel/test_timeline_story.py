"""The story of a stretch of time: ranges, bands, stages of alerts, exemplars, and how they are drawn into a chart."""

from __future__ import annotations

import itertools
import re
import time
from datetime import UTC, datetime, timedelta

import pytest
from canned_stack import World, fault, speaking
from canned_worlds import alert, lively

from faults.drills.report.signs import SIGNS
from faults.drills.wire import Notification, StageTimes
from panel import formats
from panel.lives import alert_lives
from panel.queries import Band
from panel.timeline import zone
from panel.timeline.dots import slowest
from panel.timeline.drawing import BAND_LINES, LINE_PX, MARK_LINES, dressed
from panel.timeline.moments import BadMoment, length, moment, short
from panel.timeline.range import LONGEST_S, MOST_POINTS, OVER_TTL_S, PRESETS_S, Grid, TimeRange, usual
from panel.timeline.reading import Known, merged_marks, observed_marks, read_story, recorded_marks
from panel.timeline.story import Dot, Mark, Story
from stack.clients.prometheus import Exemplar, PrometheusClient, Series
from stack.endpoints import Endpoints
from stack.pace import PACES, PRODUCTION, WORKSHOP, Pace

START, END = 1_700_000_000.0, 1_700_000_300.0


@pytest.mark.parametrize("pace", PACES.values(), ids=lambda pace: pace.name)
def test_no_range_asks_for_more_points_than_a_chart_shows(pace: Pace) -> None:
    """Every length has its grid: few points, whole steps, and its end at most one step before now."""
    for length_s in (*PRESETS_S, usual(pace).last_s, LONGEST_S):
        grid = TimeRange(last_s=length_s).grid(pace, END)
        assert 2 <= grid.steps <= MOST_POINTS + 1
        assert 0 <= END - grid.end < grid.step_s
        assert grid.end - grid.start == pytest.approx(length_s, abs=grid.step_s)


def test_an_answer_about_the_past_is_asked_for_seldom() -> None:
    """A range that is over is kept long; one that follows, or is not over yet, is asked for as its grid moves."""
    over, under_way, following = (
        TimeRange(start=START, end=END),
        TimeRange(start=START, end=END + 600),
        TimeRange(last_s=300),
    )
    assert [each.is_over(END) for each in (over, under_way, following)] == [True, False, False]
    assert over.ttl_s(WORKSHOP, 1.0, END) == OVER_TTL_S
    assert under_way.ttl_s(WORKSHOP, 1.0, END) == pytest.approx(1.25)
    assert following.ttl_s(WORKSHOP, 1.0, END) == 1.0
    assert TimeRange(last_s=LONGEST_S).ttl_s(PRODUCTION, 1.0, END) == OVER_TTL_S


def test_the_story_takes_records_first_and_fills_up_with_what_prometheus_saw() -> None:
    """Of a canned stack: both faults as bands, exact stages, and those of an alert that the conductor forgot."""
    world = lively()
    now = world.now
    world.seen_alerts["Forgotten", "firing"] = (now - 250, now - 200)
    known = Known(world.faults, world.alerts, world.notifications, world.runs)
    with speaking(world) as offset:
        prometheus = PrometheusClient(Endpoints(offset).url("prometheus"))
        story = read_story(prometheus, WORKSHOP, usual(WORKSHOP), now, known)
    assert {band.kind for band in story.bands} == {"error", "latency"}
    stages = {(mark.alert, mark.stage): mark.at for mark in story.marks}
    assert stages["HighErrorRate", "pending"] == pytest.approx(now - 24 + 2.2)
    assert stages["HighLatency", "firing"] == pytest.approx(now - 170 + 23.2)
    assert stages["Forgotten", "firing"] == pytest.approx(now - 250, abs=2)
    assert stages["Forgotten", "resolved"] == pytest.approx(now - 200, abs=3)
    assert [mark.at for mark in story.marks] == sorted(mark.at for mark in story.marks)
    assert len([mark for mark in story.marks if mark.alert == "HighLatency" and mark.stage == "firing"]) == 1


def test_what_began_before_or_goes_on_after_has_no_edge_there() -> None:
    """A stretch at the edge of the grid has no beginning or end of its own; a hole within makes two of one."""
    grid = Grid(0.0, 100.0, 1.0)
    cut = [float(at) for at in (*range(11), *range(90, 101))]
    answer = [
        Series({"alertname": "A", "alertstate": "firing"}, tuple((at, 1.0) for at in cut)),
        Series({"alertname": "A", "alertstate": "pending"}, ((80.0, 1.0), (81.0, 1.0))),
        Series({"alertname": "A", "alertstate": "odd"}, ((50.0, 1.0),)),
    ]
    marks = observed_marks(answer, grid)
    assert set(marks) == {Mark(11.0, "A", "resolved"), Mark(90.0, "A", "firing"), Mark(80.0, "A", "pending")}


def test_of_two_marks_of_one_thing_the_exact_one_stays() -> None:
    """What is seen near to what was recorded is the same thing; what lies apart is another."""
    recorded = [Mark(10.2, "A", "firing")]
    observed = [Mark(11.0, "A", "firing"), Mark(60.0, "A", "firing"), Mark(11.0, "B", "firing")]
    merged = merged_marks(recorded, observed, 2.0)
    assert set(merged) == {recorded[0], observed[1], observed[2]}


def test_deliveries_of_earlier_lives_are_known_from_notifications() -> None:
    """A delivered notification is a mark even where the alert's status has forgotten that life."""
    note = Notification.model_validate(
        {"id": 1, "at": 5.0, "status": "firing", "alert": "A", "labels": {}, "annotations": {}, "starts_at": 4.0,
         "ends_at": None, "group_key": "g", "receiver": "r"}
    )  # fmt: skip
    marks = recorded_marks(Known(alerts=[alert("A", "inactive", "", firing=50.0)], notifications=[note]))
    assert set(marks) == {Mark(50.0, "A", "firing"), Mark(5.0, "A", "delivered")}


def test_a_chart_is_dressed_without_losing_what_it_has() -> None:
    """Bands, lines and signs come on top; the room above is the same whether much or little happened."""
    story = Story(START, END, (Band("error", START + 10, START + 70),), (Mark(START + 30, "A<b>", "firing"),))
    layout = {"height": 200, "margin": {"t": 10, "l": 5}, "shapes": [{"type": "line"}], "annotations": ({"text": "x"},)}
    done = dressed(layout, story)
    assert done["height"] == dressed(layout, None)["height"] == 200 + LINE_PX * (BAND_LINES + MARK_LINES)
    assert done["margin"] == {"t": 10 + LINE_PX * (BAND_LINES + MARK_LINES), "l": 5}
    shapes, notes = done["shapes"], done["annotations"]
    assert isinstance(shapes, list)
    assert isinstance(notes, list)
    assert [shape["type"] for shape in shapes] == ["line", "rect", "line"]
    texts = [re.sub("</?span.*?>", "", note["text"]) for note in notes]
    assert texts == ["x", "<b>error</b>", "▲ firing"]
    assert "A&lt;b&gt; firing at" in notes[2]["hovertext"]
    small = dressed(layout, story, words=False)
    assert small["height"] == 200
    assert isinstance(small["annotations"], list)
    assert [re.sub("</?span.*?>", "", note["text"]) for note in small["annotations"]] == ["x", "▲"]
    assert layout["shapes"] == [{"type": "line"}]


def test_signs_that_nearly_meet_share_one_and_words_never_overlap() -> None:
    """Stages of many alerts at a time are counted in one sign; what finds no room is a sign without a word."""
    together = tuple(Mark(START + 100 + place, name, "firing") for place, name in enumerate(("A", "B", "C")))
    crowd = tuple(Mark(START + 150 + 9 * place, f"X{place}", "resolved") for place in range(16))
    notes = dressed({}, Story(START, END, (), (*together, *crowd)))["annotations"]
    assert isinstance(notes, list)
    texts = [re.sub("</?span.*?>", "", note["text"]) for note in notes]
    assert texts[0] == "▲ firing 3"
    assert notes[0]["hovertext"].count("<br>") == 2
    assert texts.count(SIGNS["resolved"].symbol) >= 1
    for line in range(MARK_LINES):
        row = [note for note in notes if note["yshift"] == 2 + LINE_PX * line and note["text"][-1] != ">"]
        width = timedelta(seconds=0.15 * (END - START))
        starts = sorted(note["x"] - (width if note["xanchor"] == "right" else timedelta()) for note in row)
        assert all(right - left >= width for left, right in itertools.pairwise(starts))


def test_the_name_of_a_fault_that_burns_on_stands_within_the_axis() -> None:
    """Plotly draws no name whose place lies a moment outside, as the end of what is still burning does."""
    story = Story(START, END, (Band("error", END - 20, END + 0.4),))
    notes = dressed({}, story)["annotations"]
    assert isinstance(notes, list)
    assert notes[0]["x"] < formats.wall(END - 1)
    assert notes[0]["xanchor"] == "right"


def test_a_dot_is_the_slowest_of_its_time_and_leads_to_a_trace() -> None:
    """Of many exemplars each stretch keeps the slowest; those without a trace or outside are left out."""
    exemplars = [
        Exemplar({"trace_id": "a"}, 10.0, 0.1, {}),
        Exemplar({"traceID": "b"}, 11.0, 0.9, {}),
        Exemplar({}, 12.0, 5.0, {}),
        Exemplar({"trace_id": "c"}, 60.0, 0.2, {}),
        Exemplar({"trace_id": "late"}, 101.0, 9.0, {}),
    ]
    assert slowest(exemplars, Grid(0.0, 100.0, 1.0), most=5) == (Dot(11.0, 0.9, "b"), Dot(60.0, 0.2, "c"))


def test_earlier_lives_of_an_alert_are_drawn_from_the_story() -> None:
    """The newest life is the conductor's; those before are put together from the story's marks, each by itself."""
    story = Story(
        START,
        END,
        (),
        (
            Mark(START + 10, "A", "pending"), Mark(START + 20, "A", "firing"), Mark(START + 40, "A", "resolved"),
            Mark(START + 60, "A", "firing"), Mark(START + 70, "A", "resolved"), Mark(START + 200, "A", "firing"),
        ),
    )  # fmt: skip
    now = alert("A", "firing", "", pending=START + 190, firing=START + 200)
    lives = alert_lives([now], story, START, END)
    assert [life.stages for life in lives] == [
        StageTimes(pending=START + 10, firing=START + 20, resolved=START + 40),
        StageTimes(firing=START + 60, resolved=START + 70),
        now.stages,
    ]
    assert [life.until for life in lives] == [None, None, END]


def test_moments_are_read_as_people_write_them() -> None:
    """A time of day is today's; dates may have a blank or a T; anything else is refused with an example."""
    now = datetime(2026, 11, 21, 18, 0).astimezone().timestamp()
    noon = datetime(2026, 11, 21, 12, 3, 7).astimezone().timestamp()
    for text in ("12:03:07", "2026-11-21 12:03:07", " 2026-11-21T12:03:07 "):
        assert moment(text, now) == noon
    assert moment("12:03", now) == noon - 7
    for text in ("", "25:00", "tomorrow", "2026-13-01"):
        with pytest.raises(BadMoment, match="12:03"):
            moment(text, now)


def test_lengths_go_there_and_back() -> None:
    """Every preset has a short name that is read as the same length; nonsense is refused."""
    for seconds in (*PRESETS_S, usual(WORKSHOP).last_s, usual(PRODUCTION).last_s, 90.0):
        assert length(short(seconds)) == seconds
    assert [short(seconds) for seconds in PRESETS_S] == ["5m", "15m", "1h", "6h", "24h", "7d"]
    for text in ("", "m", "0m", "-5m", "5", "5x", "1.5h"):
        with pytest.raises(BadMoment):
            length(text)


def test_times_of_charts_can_be_turned_back_over_a_change_of_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before and after the end of summer time each moment has its own distance from UTC."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    zone._changes.cache_clear()
    try:
        found = zone.changes(datetime(2026, 11, 5, tzinfo=UTC).timestamp())
        assert [offset for _, offset in found] == [7200.0, 3600.0]
        for at in (datetime(2026, 10, 20, 12, tzinfo=UTC), datetime(2026, 10, 30, 12, tzinfo=UTC)):
            wall_ms = formats.wall(at.timestamp()).replace(tzinfo=UTC).timestamp() * 1000
            offset = [east for since, east in found if wall_ms >= since][-1]
            assert wall_ms / 1000 - offset == at.timestamp()
    finally:
        monkeypatch.undo()
        time.tzset()
        zone._changes.cache_clear()


def test_a_story_can_be_cut() -> None:
    """What lies in a part of its time is left, bands shortened."""
    story = Story(0, 100, (Band("a", 10, 50), Band("b", 80, 90)), (Mark(20, "A", "firing"), Mark(85, "A", "resolved")))
    assert story.within(30, 60) == Story(30, 60, (Band("a", 30, 50),), ())


def test_without_faults_and_alerts_there_is_a_story_all_the_same() -> None:
    """An empty stack has an empty story, and a fault that only the conductor knows is in it."""
    with speaking(World()) as offset:
        prometheus = PrometheusClient(Endpoints(offset).url("prometheus"))
        bare = read_story(prometheus, WORKSHOP, usual(WORKSHOP), END, Known())
        lit = read_story(prometheus, WORKSHOP, usual(WORKSHOP), END, Known([fault("a", "hang", END - 20, 60)]))
    assert (bare.bands, bare.marks) == ((), ())
    assert lit.bands == (Band("hang", END - 20, END),)
