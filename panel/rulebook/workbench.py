"""The jobs of the rules page: one at a time, in the order in which they were asked for, each in a process of its own.

A job is known by what it asks: who asks the same shares it and its answer. Kept in memory, and only so many. It asks
and hears; what is asked and answered, others know. No Streamlit.
"""

from __future__ import annotations

import threading
import time
import zlib
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeVar

from panel.access.guarded import Allow, everyone
from panel.rulebook.answers import Answer, CoursePart, Problem, Progress
from panel.rulebook.courses import Course
from panel.rulebook.process import Answering
from panel.rulebook.questions import TITLES, Question

State = Literal["queued", "running", "done", "failed", "cancelled"]
OVER = frozenset({"done", "failed", "cancelled"})
LIMIT = 12
"""So many answers are kept; a check of many rules takes a few MB."""
MOST_WAITING = 8
A = TypeVar("A")


@dataclass(frozen=True)
class Job:
    """One question, and what became of it. Unix seconds."""

    question: Question
    asked_at: float
    state: State = "queued"
    progress: Progress = field(default_factory=Progress)
    began_at: float | None = None
    ended_at: float | None = None
    answer: Answer | None = None
    problem: str = ""

    @property
    def key(self) -> str:
        """What names it: its content."""
        return self.question.key

    @property
    def over(self) -> bool:
        """Whether it has ended, however that was."""
        return self.state in OVER

    @property
    def title(self) -> str:
        """What it is about, in a line."""
        return f"{self.question.name}: {TITLES[self.question.kind]}"

    def answered(self, kind: type[A]) -> A | None:
        """Return its answer, where there is one of that kind."""
        return self.answer if isinstance(self.answer, kind) else None


class Workbench:
    """The jobs. ``jobs`` scenarios at once (0: one for each core), models from the folder ``artifacts``."""

    def __init__(
        self,
        artifacts: Path,
        *,
        jobs: int = 0,
        cached: bool = True,
        limit: int = LIMIT,
        allow: Allow = everyone,
    ) -> None:
        self._artifacts, self._at_once, self._cached, self._limit = artifacts, jobs, cached, limit
        self._allow = allow
        self._lock = threading.Lock()
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._courses: dict[str, dict[tuple[int, str], bytes]] = {}
        self._walking = False
        self._at_work: tuple[str, Answering] | None = None

    def ask(self, question: Question) -> Job | None:
        """Return the job for ``question``: the one that there is, or a new one; ``None`` where too many wait.

        Raises ``ReadOnly`` for a viewer who may not act.
        """
        self._allow()
        with self._lock:
            known = self._jobs.get(question.key)
            if known is not None and known.state not in {"failed", "cancelled"}:
                return known
            if sum(one.state == "queued" for one in self._jobs.values()) >= MOST_WAITING:
                return None
            self._jobs.pop(question.key, None)
            job = self._jobs[question.key] = Job(question, time.time())
            self._forget()
            if not self._walking:
                self._walking = True
                threading.Thread(target=self._walk, name="rulebook", daemon=True).start()
            return job

    def job(self, key: str) -> Job | None:
        """Return the job of that key; ``None`` where nobody has asked, or it was forgotten."""
        with self._lock:
            if key in self._jobs and self._jobs[key].over:
                self._jobs.move_to_end(key)
            return self._jobs.get(key)

    def waiting(self) -> tuple[Job, ...]:
        """Return the jobs that are not over, in the order in which they are done."""
        with self._lock:
            return tuple(sorted((one for one in self._jobs.values() if not one.over), key=lambda one: one.asked_at))

    def finished(self) -> tuple[Job, ...]:
        """Return the jobs that have an answer, the latest first."""
        with self._lock:
            done = [one for one in self._jobs.values() if one.state == "done"]
        return tuple(sorted(done, key=lambda one: one.ended_at or 0.0, reverse=True))

    def course(self, key: str, alert: int, scenario: str) -> Course | None:
        """Return the course of the alert with the index ``alert`` in ``scenario`` of the check ``key``."""
        with self._lock:
            packed = self._courses.get(key, {}).get((alert, scenario))
        return None if packed is None else Course.model_validate_json(zlib.decompress(packed))

    def cancel(self, key: str) -> None:
        """End a job; when this returns, nothing of it runs. Raises ``ReadOnly`` for a viewer who may not act."""
        self._allow()
        with self._lock:
            job = self._jobs.get(key)
            if job is None or job.over:
                return
            self._jobs[key] = replace(job, state="cancelled", ended_at=time.time())
            at_work = self._at_work if self._at_work is not None and self._at_work[0] == key else None
        if at_work is not None:
            at_work[1].end()

    def _forget(self) -> None:
        over = [key for key, one in self._jobs.items() if one.over]
        for key in over[: max(0, len(over) - self._limit)]:
            del self._jobs[key]
            self._courses.pop(key, None)

    def _walk(self) -> None:
        """Do one job after another until none is left."""
        while (job := self._next()) is not None:
            try:
                self._perform(job)
            except Exception as problem:  # noqa: BLE001 - whatever it is, the next job shall not wait for ever
                self._end(job.key, problem=f"it could not be started ({problem}): try again")

    def _next(self) -> Job | None:
        with self._lock:
            queued = [one for one in self._jobs.values() if one.state == "queued"]
            if not queued:
                self._walking = False
                return None
            first = min(queued, key=lambda one: one.asked_at)
            job = self._jobs[first.key] = replace(first, state="running", began_at=time.time())
            return job

    def _perform(self, job: Job) -> None:
        """Have a process of its own answer, and hear it."""
        answering = Answering(job.question, self._artifacts, jobs=self._at_once, cached=self._cached)
        try:
            with self._lock:
                self._at_work = job.key, answering
                stopped = self._jobs[job.key].over
            if not stopped:
                self._hear(job.key, answering)
        finally:
            answering.end()
            with self._lock:
                self._at_work = None

    def _hear(self, key: str, answering: Answering) -> None:
        courses: dict[tuple[int, str], bytes] = {}
        for message in answering.messages():
            if isinstance(message, Progress):
                self._tell(key, message)
            elif isinstance(message, CoursePart):
                courses[message.alert, message.scenario] = zlib.compress(message.text.encode(), 1)
            elif isinstance(message, Problem):
                self._end(key, problem=message.words)
            else:
                self._end(key, answer=message, courses=courses)
        words = answering.last_words()
        self._end(key, problem=f"the process that did it ended{f': {words}' if words else ''}. Try again")

    def _tell(self, key: str, progress: Progress) -> None:
        with self._lock:
            job = self._jobs.get(key)
            if job is not None and not job.over:
                self._jobs[key] = replace(job, progress=progress)

    def _end(
        self,
        key: str,
        *,
        answer: Answer | None = None,
        problem: str = "",
        courses: dict[tuple[int, str], bytes] | None = None,
    ) -> None:
        """End a job that is not over yet: what is told first counts."""
        with self._lock:
            job = self._jobs.get(key)
            if job is None or job.over:
                return
            state: State = "failed" if answer is None else "done"
            self._jobs[key] = replace(job, state=state, answer=answer, problem=problem, ended_at=time.time())
            if courses:
                self._courses[key] = courses
