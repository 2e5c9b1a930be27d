"""The exercises on paper: as Markdown, for docs/workshop.md and for those who want a sheet. No Streamlit."""

from __future__ import annotations

from collections.abc import Sequence

from panel.workshop.exercise import Exercise


def markdown(exercises: Sequence[Exercise]) -> str:
    """Return the exercises with their questions and answers."""
    return "\n\n".join(_exercise(exercise) for exercise in exercises) + "\n"


def _exercise(exercise: Exercise) -> str:
    steps = [
        f"{number}. {step.do}" + (f" (page *{step.page}*)" if step.page else "")
        for number, step in enumerate(exercise.steps, 1)
    ]
    return "\n".join(
        [
            f"### {exercise.number}. {exercise.title}",
            f"{exercise.goal} About {exercise.minutes} minutes.",
            "",
            *steps,
            "",
            "You should see:",
            "",
            *(f"- {seen.says}" for seen in exercise.seen),
            "",
            f"**How you know.** {exercise.proof}",
            "",
            f"**Question.** {exercise.question}",
            "",
            f"**Answer.** {exercise.answer}",
        ]
    )


if __name__ == "__main__":
    import sys

    from panel.workshop.exercise import exercises

    sys.stdout.write(markdown(exercises()))
