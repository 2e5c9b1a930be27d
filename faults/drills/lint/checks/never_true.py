"""An expression that can never have a result, whatever is measured: proved step by step."""

from __future__ import annotations

from collections.abc import Iterator

from faults.drills.lint.check import Remark, Subject, register


@register("never-true", "error", "an expression that was proved never to have a result")
def find(subject: Subject) -> Iterator[Remark]:
    """Yield the proof, where there is one that no other check has explained."""
    if subject.proof is not None:
        reason = subject.proof.reason
        yield Remark(
            subject.proof.node,
            reason[:1].upper() + reason[1:],
            "It never fires." if subject.is_alert else "It never records anything.",
        )
