"""What the process that answers says, line by line: how far it is, then courses, then the answer, or why there is none.

Typed models, since they come from another process; they judge nothing.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, TypeAdapter

from faults.drills.check.curve import Curves
from faults.drills.check.matrix import Matrix
from faults.drills.check.result import CheckResult


class Progress(BaseModel):
    """How far a job is."""

    about: Literal["progress"] = "progress"
    done: int = 0
    total: int = 0
    kept: int = Field(default=0, description="How many of those that are done were known from before.")
    left_s: float | None = Field(default=None, description="How long the rest takes; None: not known yet.")
    doing: str = "starting"


class CoursePart(BaseModel):
    """The course of one alert in one scenario, as JSON: most of them nobody ever looks at."""

    about: Literal["course"] = "course"
    alert: int = Field(description="Index of the alert in the result.")
    scenario: str
    text: str


class CheckAnswer(BaseModel):
    """What each alert is worth, and which fires for which fault."""

    about: Literal["check"] = "check"
    result: CheckResult
    matrix: Matrix


class CurveAnswer(BaseModel):
    """Detection curves."""

    about: Literal["curve"] = "curve"
    curves: Curves


class TestsAnswer(BaseModel):
    """Unit tests that promtool passed."""

    __test__ = False  # no test class, whatever it is called

    about: Literal["tests"] = "tests"
    files: dict[str, str] = Field(description="Text of each file by its name: the rules, and the tests beside them.")
    told: list[str] = Field(description="In a line for each file: what it tests.")
    notes: list[str] = Field(default_factory=list, description="What could not be tested, and why.")


class Problem(BaseModel):
    """Why there is no answer."""

    about: Literal["problem"] = "problem"
    words: str


Answer = CheckAnswer | CurveAnswer | TestsAnswer
Message = Annotated[
    Progress | CoursePart | CheckAnswer | CurveAnswer | TestsAnswer | Problem, Field(discriminator="about")
]
MESSAGE: TypeAdapter[Message] = TypeAdapter(Message)
