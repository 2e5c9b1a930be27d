"""What the webhook would have been told, as notifications: those that ``judge.notification`` predicts, one moment each.

Where it names a range, because nobody knows whether an earlier group was still there, the last moment counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from faults.drills.judge.judgement import AlertLife
from faults.drills.judge.notification import Moment, Told, told_of
from faults.drills.wire import Notification
from stack.clients.routing import Routing


def notifications(lives: Iterable[tuple[str, AlertLife]], routing: Routing) -> list[Notification]:
    """Return what is told of ``lives``, all of one phase, each with the name of its alert; by time."""
    notes = [note for told in told_of(lives, routing) for note in _notes(told)]
    notes.sort(key=lambda one: (one.at, one.alert))
    return [note.model_copy(update={"id": index}) for index, note in enumerate(notes, 1)]


def _notes(told: Told) -> Iterator[Notification]:
    if told.firing is not None:
        yield _note(told, told.firing, over=False)
    if told.firing is not None and told.resolution is not None:
        yield _note(told, told.resolution, over=True)


def _note(told: Told, moment: Moment, *, over: bool) -> Notification:
    life = told.life
    return Notification(
        id=0,
        at=moment.latest,
        status="resolved" if over else "firing",
        alert=told.alert,
        labels={"alertname": told.alert, **dict(life.labels)},
        annotations={},
        starts_at=life.fired_at or 0.0,
        ends_at=life.ended_at if over else None,
        group_key=f"{told.route.receiver}/{told.alert}",
        receiver=told.route.receiver,
    )
