"""Rules that are brought to the panel: kept by content, read at once, repaired in their own words."""

from __future__ import annotations

import io
import zipfile

import pytest

from faults.drills.check.result import AlertResult, CheckResult, Range, Response, Verdict
from faults.drills.lint.finding import Finding, Place
from panel.rulebook import proofreading, takeaway, texts
from panel.rulebook.errors import NotText, TextTooLong
from panel.rulebook.examples import examples
from panel.rulebook.proofreading import proofread
from panel.rulebook.questions import CheckQuestion
from panel.rulebook.repaired import repaired
from panel.rulebook.texts import RuleText, Texts, named, uploaded

RULES = """\
groups:
  - name: mine
    rules:
      # why this one is here
      - alert: Slow
        expr: histogram_quantile(0.9, http_request_duration_seconds_bucket) > 1  # seconds
        for: 5m
      - alert: Errors
        expr: |
          sum(rate(http_errors_total[5m]))
            > 0.05
        for: 5m
"""


def test_a_text_is_known_by_its_content_and_only_so_many_are_kept() -> None:
    """The same text has the same id; another name or body has another; the oldest is forgotten."""
    kept = Texts(limit=2)
    first, same, other = RuleText("a.yml", "x"), RuleText("a.yml", "x"), RuleText("b.yml", "x")
    assert kept.put(first) == kept.put(same) != kept.put(other)
    kept.get(first.id)
    kept.put(RuleText("c.yml", "x"))
    assert kept.get(first.id) == first
    assert kept.get(other.id) is None


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("../../etc/passwd", "passwd.yml"),
        ("C:\\rules\\mine.yaml", "mine.yaml"),
        ("", "rules.yml"),
        ("..", "rules.yml"),
        ("a b;c.rules", "abc.rules"),
    ],
)
def test_an_uploaded_name_is_a_plain_file_name(given: str, name: str) -> None:
    """No folder, no blank and no sign that means something elsewhere comes through."""
    assert named(given, "groups: []").name == name


def test_what_is_no_text_or_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says how large it is and what to do."""
    with pytest.raises(NotText, match=r"picture\.yml is no text in UTF-8"):
        uploaded("picture.yml", b"\x89PNG\xff\xfe")
    monkeypatch.setattr(texts, "MOST_BYTES", 10)
    with pytest.raises(TextTooLong, match="firedrill check"):
        uploaded("large.yml", b"x" * 11)
    with pytest.raises(TextTooLong):
        named("large.yml", "x" * 11)


@pytest.mark.parametrize(
    ("body", "line", "column", "words"),
    [
        ("groups: [\n", 2, 1, "it is not YAML"),
        ("groups:\n  - name: a\n    rules:\n      - alert: A\n        expr: up ==\n", 5, 20, "expected a PromQL"),
        ("groups:\n  - name: a\n    rules:\n      - alert: A\n        exp: up\n", 5, 9, "unknown key 'exp'"),
        ("groups:\n  - name: a\n    rules: []\n", 0, 0, "there is no alert to check"),
    ],
)
def test_a_mistake_has_its_line_and_says_what_was_expected(body: str, line: int, column: int, words: str) -> None:
    """Line, column and the line's text; no path of a temporary folder."""
    (mistake, *_) = proofread(RuleText("mine.yml", body), "").mistakes
    assert (mistake.line, mistake.column) == (line, column)
    assert words in mistake.words
    assert mistake.text == (body.splitlines()[line - 1] if 0 < line <= len(body.splitlines()) else "")
    assert "/" not in mistake.words.replace("and/or", "")


def test_every_example_can_be_loaded_under_its_dialect() -> None:
    """Those of the reference systems have findings, which is what they are for."""
    proofs = {key: proofread(one.text, one.dialect) for key, one in examples().items()}
    assert not [key for key, proof in proofs.items() if proof.mistakes]
    assert len(proofs["firedrill"].alerts) == sum(
        len(proof.alerts) for key, proof in proofs.items() if key.startswith("firedrill-")
    )
    assert {"mlops", "exchange-rate", "gateway", "a3"} <= {key for key, proof in proofs.items() if proof.findings}


def test_more_rules_than_can_be_checked_at_once_are_left_to_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said, and no finding is made up."""
    monkeypatch.setattr(proofreading, "MOST_AT_ONCE", 1)
    proof = proofread(RuleText("mine.yml", RULES), "")
    assert proof.unchecked
    assert not proof.findings


def test_effort_counts_the_steady_state_and_the_seeds() -> None:
    """Three errors and the steady state, twice."""
    horizon = proofread(RuleText("mine.yml", RULES), "").horizon(600.0)
    assert horizon is not None
    work = proofreading.effort(horizon, ("error",), 2)
    assert (work.scenarios, work.lasts_s, work.requests) == (8, 600.0, 9600.0)


def finding(rule: str, line: int, repair: str, *, fired: bool | None) -> Finding:
    """Return a finding with a repair."""
    place = Place(file="mine.yml", group="mine", rule=rule, line=line)
    return Finding(
        check="some-check",
        severity="error",
        place=place,
        message="wrong",
        consequence="silent",
        repair=repair,
        repair_fired=fired,
    )


def result(*findings: Finding, alerts: tuple[AlertResult, ...] = ()) -> CheckResult:
    """Return a check that found these."""
    return CheckResult(
        files=["mine.yml"], alerts=list(alerts), findings=list(findings), scenarios=["steady state", "error"]
    )


def test_repairs_that_fired_are_put_in_and_the_rest_stays_as_it_was() -> None:
    """Comments and indents stay; a second repair of the same rule, and one that was not run, are left out."""
    slow = "histogram_quantile(0.9, sum by (le) (rate(http_request_duration_seconds_bucket[5m]))) > 1"
    share = 'sum(rate(http_errors_total[5m]))\n/ sum(rate(http_requests_total{status=~"5.."}[5m])) > 0.05'
    text = RuleText("mine.yml", RULES)
    found = repaired(
        text,
        result(
            finding("Slow", 5, slow, fired=True),
            finding("Slow", 5, "another > 1", fired=True),
            finding("Errors", 8, share, fired=True),
        ),
    )
    assert found is not None
    assert found.text.name == "mine.repaired.yml"
    proof = proofread(found.text, "")
    assert proof.file is not None
    assert [rule.expr for rule in proof.file.alerts] == [slow, share]
    assert "# why this one is here" in found.text.body
    assert "# seconds" in found.text.body
    assert [one.repair for one in found.left_out] == ["another > 1"]
    assert next(line for line in found.diff.splitlines() if line.startswith("-")) == "--- mine.yml"
    assert repaired(text, result(finding("Slow", 5, slow, fired=False), finding("Slow", 5, slow, fired=None))) is None


def alert(name: str, *, quiet: bool, **detections: float) -> AlertResult:
    """Return an alert that fired after so many seconds in each of these faults, in 6 of 6 tries; 0: in 3 of 6."""
    responses = [
        Response(
            scenario=fault,
            fired=6 if after_s else 3,
            tries=6,
            detection_s=Range(least=after_s or 1.0, most=after_s or 1.0),
        )
        for fault, after_s in detections.items()
    ]
    place = Place(file="mine.yml", group="mine", rule=name, line=5)
    return AlertResult(
        place=place, expr="up == 0", for_s=0.0, verdict=Verdict.FIRES, reason="", quiet=quiet, responses=responses
    )


def test_tests_are_wanted_of_what_is_sure() -> None:
    """Each alert in the fault for which it fires soonest; none that fires at times, or without a fault."""
    sure = alert("Sure", quiet=True, error=90.0, hang=30.0)
    found = result(alerts=(sure, alert("AtTimes", quiet=True, error=0.0), alert("Noise", quiet=False, error=20.0)))
    found.scenarios = ["steady state", "error", "hang"]
    assert takeaway.wanted_tests(found) == (("steady state", ("Sure", "AtTimes")), ("hang", ("Sure",)))


def test_an_archive_holds_the_files_and_is_the_same_every_time() -> None:
    """Names and texts as given."""
    files = {"b.test.yml": "tests: []", "a.yml": "groups: []"}
    body = takeaway.zipped(files)
    assert body == takeaway.zipped(dict(reversed(files.items())))
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert {name: archive.read(name).decode() for name in archive.namelist()} == files


def test_a_question_is_known_by_all_that_it_asks() -> None:
    """Another option is another question; the same one has the same key."""
    asked = CheckQuestion(name="a.yml", body="x", faults=("error",))
    assert asked.key == CheckQuestion(name="a.yml", body="x", faults=("error",)).key
    others = [{"dialect": "mlops"}, {"seeds": 2}, {"for_s": 600.0}, {"faults": None}, {"faults": ()}, {"body": "y"}]
    assert len({asked.key, *(asked.model_copy(update=one).key for one in others)}) == 7
