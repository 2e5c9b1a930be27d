"""What can be asked of rules, as it crosses to the process that answers. The same question has the same key.

Typed models, since they leave the process; they run nothing.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

KEY_CHARS = 24


class _Question(BaseModel):
    """What every question has: the rules, and under which names their metrics are scraped."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(description="What the rule file is called.")
    body: str = Field(description="The rules.")
    dialect: str = ""
    for_s: float | None = Field(default=None, description="Virtual time of each scenario; None: what the rules need.")
    seeds: int = 1

    @property
    def key(self) -> str:
        """What names this question: the same content, the same key."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:KEY_CHARS]


class CheckQuestion(_Question):
    """What each alert is worth, and which fires for which fault."""

    kind: Literal["check"] = "check"
    faults: tuple[str, ...] | None = Field(default=None, description="None: all; empty: the steady state alone.")


class CurveQuestion(_Question):
    """How long alerts take by how strong a fault is."""

    kind: Literal["curve"] = "curve"
    fault: str
    alerts: tuple[str, ...]
    points: int = 6
    resolution: float = 0.1


class TestsQuestion(_Question):
    """Unit tests for promtool: which alerts in which fault; no fault is the steady state."""

    __test__ = False  # no test class, whatever it is called

    kind: Literal["tests"] = "tests"
    faults: tuple[str, ...] | None = None
    wanted: tuple[tuple[str, tuple[str, ...]], ...] = Field(description="Scenario, and the alerts to test in it.")


Question = Annotated[CheckQuestion | CurveQuestion | TestsQuestion, Field(discriminator="kind")]
QUESTION: TypeAdapter[Question] = TypeAdapter(Question)
TITLES = {"check": "check and matrix", "curve": "detection curves", "tests": "unit tests"}


class Errand(BaseModel):
    """A question on its way to the process that answers it."""

    question: Question
    artifacts: str = Field(description="Folder of the trained models.")
    folder: str = Field(description="An empty folder to work in.")
    jobs: int = Field(default=0, description="Scenarios recorded at once; 0: one for each core.")
    cached: bool = True
