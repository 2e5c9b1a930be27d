"""The steps of the rules page: which one is shown, and what it is given. It loads all that reading rules takes."""

from __future__ import annotations

import streamlit as st

from panel import formats, roles, run_parts
from panel.rulebook import address, asking, check_part, curve_part, matrix_part, options, rule_part, take_part, takeaway
from panel.rulebook.answers import CheckAnswer
from panel.rulebook.options import Tried
from panel.rulebook.proofreading import Proof, effort
from panel.rulebook.workbench import Job
from panel.sources import Sources

RULES, CHECK, MATRIX, CURVES, TAKE = "Rules", "Check", "Matrix", "Curves", "Take along"
STEPS = (RULES, CHECK, MATRIX, CURVES, TAKE)
LONG_S = 300.0


def draw(sources: Sources) -> None:
    """Draw the rules, or one of the things that can be done with them."""
    book = sources.rulebook
    text = address.shown(book)
    step = st.segmented_control(
        "What to do with these rules",
        STEPS,
        default=RULES,
        key=address.STEP,
        required=True,
        bind="query-params",
        label_visibility="collapsed",
    )
    tried = options.chosen()
    proof = book.proofreader.read(text, tried.dialect)
    st.markdown(rule_part.summary(proof))
    if step == RULES:
        _rules(sources, proof)
    elif proof.file is None:
        st.info("Prometheus would not load these rules: mend them under *Rules* first.", icon=":material/edit:")
        rule_part.mistakes(proof)
    elif step == CURVES:
        curve_part.draw(sources, proof, tried, _stem(proof))
    else:
        _checked(sources, proof, tried, step or CHECK)


def _rules(sources: Sources, proof: Proof) -> None:
    reason = roles.reason()
    address.chooser(sources.rulebook, reason=reason)
    left, right = st.columns([1.1, 1], gap="large")
    with left:
        address.editor(sources.rulebook, proof.text, reason=reason)
    with right:
        if proof.file is None:
            rule_part.mistakes(proof)
        else:
            rule_part.findings(proof)


def _checked(sources: Sources, proof: Proof, tried: Tried, step: str) -> None:
    job = asking.job_of(sources, tried.check(proof.text), label="Check", told=_expected(sources, proof, tried))
    found = job.answered(CheckAnswer) if job else None
    if job is None or found is None:
        return
    if step == TAKE:
        take_part.draw(sources, proof.text, tried, found, _stem(proof))
    elif step == MATRIX:
        matrix = matrix_part.wished(found)
        matrix_part.matrix(matrix)
        run_parts.downloads(takeaway.of_matrix(matrix, _stem(proof)), key="matrix-files")
    else:
        _verdicts(sources, job, found)


def _verdicts(sources: Sources, job: Job, found: CheckAnswer) -> None:
    check_part.verdicts(found.result)
    if found.result.alerts:
        check_part.one_alert(sources.rulebook.workbench, sources.drawings, job, found.result)


def _expected(sources: Sources, proof: Proof, tried: Tried) -> str:
    """Return in a sentence what a check tries, and about how long that takes here."""
    horizon = proof.horizon(tried.for_s)
    if horizon is None:
        return ""
    work = effort(horizon, tried.faults, tried.seeds)
    guess = sources.rulebook.guess(work)
    source = "as the last one took here" if guess.learnt else "a first guess"
    long = " A slow rule ends by a bound and says so." if guess.seconds > LONG_S else ""
    return (
        f"Tries {formats.count(work.scenarios, 'world')} of {formats.span(work.lasts_s)} each on a virtual clock: "
        f"**about {formats.span(guess.seconds)}** ({source}). What was tried before is not tried again.{long}"
    )


def _stem(proof: Proof) -> str:
    return proof.text.name.rpartition(".")[0]
