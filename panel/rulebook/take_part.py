"""What is taken along: the results as files, unit tests that promtool passed, and the rules with tried repairs."""

from __future__ import annotations

import streamlit as st

from faults.drills.check.scenarios import STEADY
from panel import formats, run_parts
from panel.downloads import Download
from panel.rulebook import asking, takeaway
from panel.rulebook.answers import CheckAnswer, TestsAnswer
from panel.rulebook.errors import RepairRefused
from panel.rulebook.options import Tried
from panel.rulebook.questions import TestsQuestion
from panel.rulebook.repaired import repaired
from panel.rulebook.texts import RuleText
from panel.sources import Sources


def draw(sources: Sources, text: RuleText, tried: Tried, found: CheckAnswer, stem: str) -> None:
    """Draw everything that can be taken along of a check."""
    st.subheader("Results")
    run_parts.downloads(takeaway.of_check(found.result, stem), key="check-files")
    st.caption("The JUnit file fails for errors, alerts that cannot fire and false alarms, as `firedrill check` does.")
    st.subheader("Unit tests for promtool")
    _tests(sources, text, tried, found, stem)
    st.subheader("Repaired rules")
    _repairs(text, found)


def _tests(sources: Sources, text: RuleText, tried: Tried, found: CheckAnswer, stem: str) -> None:
    wanted = takeaway.wanted_tests(found.result)
    if not wanted:
        st.markdown("No alert here fires or stays quiet in every try: there is nothing that a test could hold on to.")
        return
    question = TestsQuestion(
        name=text.name,
        body=text.body,
        dialect=tried.dialect,
        for_s=tried.for_s,
        seeds=tried.seeds,
        faults=tried.faults,
        wanted=wanted,
    )
    faults = [name for name, _ in wanted if name != STEADY]
    alerts = {alert for _, some in wanted for alert in some}
    told = (
        f"Makes a test file for {formats.count(len(faults), 'fault')} and for the steady state, of "
        f"{formats.count(len(alerts), 'alert')}: each in the fault for which it fires soonest. What is written, "
        "promtool has passed."
    )
    job = asking.job_of(sources, question, label="Make the tests", told=told)
    answer = job.answered(TestsAnswer) if job else None
    if answer is None:
        return
    for line in answer.told:
        st.markdown(f":green-badge[✓ promtool passed] {line}")
    for note in answer.notes:
        st.caption(f"Note: {note}")
    if answer.told:
        name = f"{stem}-tests.zip"
        archive = Download("Tests (ZIP)", name, "application/zip", lambda: takeaway.zipped(answer.files))
        run_parts.downloads((archive,), key="test-files")
        st.caption("Unpack it, then `promtool test rules *.test.yml`; it needs no Firedrill.")


def _repairs(text: RuleText, found: CheckAnswer) -> None:
    try:
        better = repaired(text, found.result)
    except RepairRefused as problem:
        st.warning(str(problem), icon=":material/build:")
        return
    if better is None:
        st.markdown("None. A repair is offered where it was run, fired for a fault and was quiet without one.")
        return
    names = ", ".join(f"**{one.place.rule}** ({one.check})" for one in better.repairs)
    st.markdown(f":green-badge[✓ run, and fired] {names}")
    st.code(better.diff, language="diff")
    stem = text.name.rpartition(".")[0]
    files = (
        Download("Repaired rules", better.text.name, "application/yaml", better.text.body.encode),
        Download("Diff", f"{stem}.diff", "text/x-diff", better.diff.encode),
    )
    run_parts.downloads(files, key="repair-files")
    if better.left_out:
        more = ", ".join(f"{one.place.rule} ({one.check})" for one in better.left_out)
        st.caption(f"Left out, since two repairs of a rule were not run together: {more}. Check the repaired rules.")
