"""What a check says of a rule, as typed models. No logic here."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Severity = Literal["error", "warning", "info"]


class Place(BaseModel):
    """Where a rule stands."""

    model_config = ConfigDict(frozen=True)

    file: str
    group: str
    rule: str = Field(description="Name of the alert or of the recorded series.")
    line: int = Field(description="Line of the file at which the rule starts, from 1.")


class Finding(BaseModel):
    """One thing that is wrong with a rule, or may be."""

    model_config = ConfigDict(frozen=True)

    check: str = Field(description="Name of the check, such as `rate-on-gauge`; docs/checks/NAME.md explains it.")
    severity: Severity
    place: Place
    message: str = Field(description="What is wrong with this rule, in a sentence, with the part of it that is meant.")
    consequence: str = Field(description="What comes of it: it never fires, always fires, measures something else.")
    cannot_fire: bool = Field(default=False, description="Whether this proves that the alert can never fire.")
    repair: str = Field(default="", description="The expression that would be right; empty where none can be told.")
    repair_fired: bool | None = Field(
        default=None,
        description="Whether the repaired rule was run and fired; None: not run, so not shown.",
    )
