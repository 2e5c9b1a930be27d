"""What can go wrong with the judge. Every subclass takes facts and builds its own message.

DrillError
└── JudgeError
    ├── EngineFailed      its Prometheus did not start
    ├── EngineDied        it ended, or fell silent, while it was needed
    ├── SamplesRefused    it did not take the samples
    ├── QuestionRefused   it did not evaluate an expression
    └── TimeUp            an expression took too long, while others were asked for or beyond every bound
"""

from __future__ import annotations

from faults.drills.errors import DrillError

_LAST = 400


class JudgeError(DrillError):
    """Base of everything that can go wrong with the judge."""


class EngineFailed(JudgeError):  # noqa: N818 - reads as a fact where it is raised
    """The judge's own Prometheus did not come up."""

    def __init__(self, reason: str, output: str = "") -> None:
        self.reason, self.output = reason, output
        super().__init__(
            f"the judge's own Prometheus did not start: {reason}{_said(output)}; see that the temporary folder is "
            "writable and not full, and `firedrill doctor`"
        )


class EngineDied(JudgeError):  # noqa: N818 - as above
    """The judge's own Prometheus is gone, or does not answer any more. The next judgement starts another one."""

    def __init__(self, reason: str, output: str = "") -> None:
        self.reason, self.output = reason, output
        super().__init__(
            f"the judge's own Prometheus {reason} while it judged{_said(output)}; try again, with fewer scenarios at "
            "once if memory is short"
        )


class SamplesRefused(JudgeError):  # noqa: N818 - as above
    """The judge's own Prometheus did not take the samples that were written to it."""

    def __init__(self, status: int, reason: str) -> None:
        self.status, self.reason = status, reason
        super().__init__(
            f"the judge's own Prometheus refused the samples of a recording (status {status}): {reason}; "
            "the series of a recording must differ in their labels, and their times must rise"
        )


class QuestionRefused(JudgeError):  # noqa: N818 - as above
    """The engine did not evaluate an expression. ``kind`` is its own: ``bad_data``, ``execution``, ``timeout`` …."""

    def __init__(self, kind: str, reason: str) -> None:
        self.kind, self.reason = kind, reason
        super().__init__(reason)


class TimeUp(JudgeError):  # noqa: N818 - as above
    """The engine had no answer for ``expr`` in time, and may go on: it looks at the clock between series alone."""

    def __init__(self, expr: str, waited_s: float) -> None:
        self.expr, self.waited_s = expr, waited_s
        super().__init__(f"query timed out: no end of it within {waited_s:g} s, in: {expr}")


def _said(output: str) -> str:
    text = " ".join(output.split())
    return f" (it said: …{text[-_LAST:]})" if text else ""
