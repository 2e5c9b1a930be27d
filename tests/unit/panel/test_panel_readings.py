"""Feeds: one question for many viewers, and what is shown when a source fails."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from panel.readings import Feed, Feeds
from stack.errors import SourceUnreachable


@dataclass
class Source:
    """A source that counts its questions and fails on demand; its clock stands still unless moved."""

    now: float = 1000.0
    asked: int = 0
    fails: Exception | None = None
    takes_s: float = 0.0
    gate: threading.Event = field(default_factory=threading.Event)

    def read(self) -> int:
        """Answer with the number of questions so far."""
        self.asked += 1
        self.now += self.takes_s
        if self.fails:
            raise self.fails
        return self.asked

    def feed(self, ttl_s: float = 1.0) -> Feed[int]:
        """Return a feed of this source on its clock."""
        return Feed("Source", self.read, ttl_s=ttl_s, keep_s=30.0, clock=lambda: self.now)


def unreachable() -> SourceUnreachable:
    """Return the error of a client whose server is gone."""
    return SourceUnreachable("Source", "http://127.0.0.1:1", "connection refused")


def test_within_the_time_to_live_the_source_is_asked_once() -> None:
    """Looks within one time to live share an answer; the next one asks anew."""
    source = Source()
    feed = source.feed()
    assert [feed.get().value for _ in range(5)] == [1, 1, 1, 1, 1]
    source.now += 1.0
    assert feed.get().value == 2


def test_however_many_look_the_source_is_asked_once_in_each_turn() -> None:
    """Twenty viewers that look every second at moments of their own cost as many questions as one who does."""
    asked = []
    for viewers in (1, 2, 20):
        source = Source()
        feed = source.feed()
        for look in range(60 * viewers):
            source.now = 1000.0 + look // viewers + (look % viewers) / viewers
            feed.get()
        asked.append(source.asked)
    assert asked == [60, 61, 61]  # the minute ends half-way through a turn


def test_a_viewer_who_comes_a_little_early_or_late_gets_a_new_answer() -> None:
    """The looks of a browser do not come on the dot; each of them still sees what is new."""
    source = Source()
    feed = source.feed()
    for look, off_s in enumerate((0.0, 0.2, -0.3, 0.1, -0.2, 0.3)):
        source.now = 1000.0 + look + off_s
        assert feed.get().taken_at == source.now


def test_a_failing_source_turns_stale_then_unreachable_then_fresh() -> None:
    """The last answer is kept for a while with the reason, then dropped; a source that returns is fresh at once."""
    source = Source()
    feed = source.feed()
    assert feed.get().state == "fresh"
    source.fails = unreachable()
    source.now += 5
    stale = feed.get()
    assert (stale.state, stale.value, stale.taken_at) == ("stale", 1, 1000.0)
    assert "connection refused" in (stale.problem or "")
    source.now += 30
    assert (feed.get().state, feed.get().value) == ("unreachable", None)
    source.fails = None
    source.now += 2
    assert feed.get().state == "fresh"


def test_an_answer_that_is_not_understood_is_a_problem_not_a_crash() -> None:
    """An unforeseen exception becomes a reading that names the source."""
    source = Source(fails=KeyError("data"))
    reading = source.feed().get()
    assert reading.state == "unreachable"
    assert "Source gave an answer that was not understood (KeyError)" in (reading.problem or "")


def test_a_source_that_hangs_is_asked_less_often() -> None:
    """After a failure that took two seconds the source is left alone for four."""
    source = Source(fails=unreachable(), takes_s=2.0)
    feed = source.feed()
    feed.get()
    source.now += 3.9
    feed.get()
    assert source.asked == 1
    source.now += 0.2
    feed.get()
    assert source.asked == 2


def test_expiring_asks_anew_at_the_next_look() -> None:
    """After a command the next look does not wait for the time to live."""
    source = Source()
    feed = source.feed(ttl_s=60)
    feed.get()
    feed.expire()
    assert feed.get().value == 2


def test_a_second_viewer_does_not_wait_for_a_slow_refresh() -> None:
    """While one viewer's look is waiting for the source, another one is shown the last answer."""
    source = Source()
    entered = threading.Event()

    def read() -> int:
        value = source.read()
        if value > 1:
            entered.set()
            source.gate.wait(10)
        return value

    feed = Feed("Source", read, ttl_s=1.0, clock=lambda: source.now)
    feed.get()
    source.now += 2
    slow = threading.Thread(target=feed.get)
    slow.start()
    assert entered.wait(10)
    assert feed.get().value == 1
    source.gate.set()
    slow.join(10)
    assert feed.get().value == 2


def test_feeds_by_key_forget_the_least_recently_used() -> None:
    """Only so many searches are kept; the one that was not looked at for longest goes."""
    made: list[str] = []

    def make(key: str) -> Feed[str]:
        made.append(key)
        return Feed(key, lambda: key, ttl_s=60)

    feeds = Feeds(make, limit=2)
    for key in ("a", "b", "a", "c", "a", "b"):
        assert feeds.get(key).value == key
    assert made == ["a", "b", "c", "b"]
