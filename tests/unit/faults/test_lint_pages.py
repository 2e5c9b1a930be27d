"""docs/checks: each page's bad rule has the mistake, its good rule has not, and Prometheus confirms the rest."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from faults.drills.lint.check import checks
from faults.drills.lint.lint import UNREADABLE
from stack.rules import promtool
from stack.rules.errors import PromtoolRefused
from tests.unit.faults.lint_pages import FOLDER, Case, CheckPage, pages

PAGES = {page.name: page for page in pages()}
READABLE = [page for page in PAGES.values() if page.name != UNREADABLE]


def test_each_check_has_its_page_and_its_row() -> None:
    """Files, registered checks and the table of the README are the same, with severity and what is looked for."""
    table = re.findall(
        r"^\| \[`([\w-]+)`\]\(([\w-]+)\.md\) \| (\w+) \| (.+?) \|$", (FOLDER / "README.md").read_text(), re.MULTILINE
    )
    rows = {name: (link, severity, looks_for) for name, link, severity, looks_for in table}
    registered = {check.name: (check.name, check.severity, check.looks_for) for check in checks()}
    said = "an expression that is no PromQL, or too much of it"
    assert rows == {**registered, UNREADABLE: (UNREADABLE, "error", said)}
    assert set(PAGES) == set(rows)
    assert [name for name, *_ in table] == sorted(rows)


@pytest.mark.parametrize("page", PAGES.values(), ids=lambda page: page.name)
def test_the_bad_rule_is_found_and_the_good_one_is_not(page: CheckPage) -> None:
    """The mistake of the page is found in the bad rule, alone; in the good one there is nothing worse than a remark."""
    found = {
        heading: [one.check for one in page.findings(heading) if one.severity != "info" or one.check == page.name]
        for heading in ("Bad", "Good")
    }
    assert found == {"Bad": [page.name], "Good": []}


def test_prometheus_confirms_every_page(tmp_path: Path) -> None:
    """Bad, good and repaired rules, run over the series of each case, fire and keep silent as the page says."""
    assert all({case.good for case in page.cases} == {"fires", "quiet"} for page in PAGES.values())
    assert all(any(case.bad != case.good for case in page.cases) for page in READABLE)
    promtool.test(*(_test_file(page, tmp_path) for page in PAGES.values()))


def test_a_claim_that_is_wrong_is_refused(tmp_path: Path) -> None:
    """The run above can fail: turned around, a page's cases are refused."""
    page = PAGES["quantile-of-bare-name"]
    turned = page.text.replace("bad: quiet", "bad: fires")
    with pytest.raises(PromtoolRefused, match="Bad"):
        promtool.test(_test_file(CheckPage(page.name, turned), tmp_path))


def test_prometheus_refuses_what_is_unreadable(tmp_path: Path) -> None:
    """The bad rule of that page alone keeps a file from loading."""
    file = tmp_path / "rules.yml"
    rules = yaml.safe_load(PAGES[UNREADABLE].block("Bad"))
    file.write_text(yaml.safe_dump({"groups": [{"name": "shown", "rules": rules}]}))
    with pytest.raises(PromtoolRefused, match="unclosed left parenthesis"):
        promtool.check(file)


def _test_file(page: CheckPage, folder: Path) -> Path:
    """Write the page's rules and its cases as a unit test, and return its file."""
    headings = ["Good"] if page.name == UNREADABLE else ["Bad", "Good"]
    rules: list[dict[str, Any]] = [
        {**rule, "alert": f"{heading}{number}"}
        for heading in headings
        for number, rule in enumerate(yaml.safe_load(page.block(heading)))
    ]
    repairs = [finding.repair for finding in page.findings("Bad") if finding.repair and finding.check == page.name]
    rules += [{"alert": f"Repaired{number}", "expr": repair} for number, repair in enumerate(repairs)]
    (folder / f"{page.name}.yml").write_text(yaml.safe_dump({"groups": [{"name": "shown", "rules": rules}]}))
    tests = [_test(case, bool(repairs), "Bad" in headings) for case in page.cases]
    file = folder / f"{page.name}.test.yml"
    content = {"rule_files": [f"{page.name}.yml"], "evaluation_interval": "15s", "tests": tests}
    file.write_text(yaml.safe_dump(content))
    return file


def _test(case: Case, repaired: bool, has_bad: bool) -> dict[str, Any]:
    expected = {"Good": case.good}
    expected |= {"Bad": case.bad} if has_bad else {}
    expected |= {"Repaired": case.good} if repaired else {}
    return {
        "name": case.told,
        "interval": "15s",
        "input_series": [{"series": name, "values": values} for name, values in case.series.items()],
        "promql_expr_test": [
            {
                "expr": f'clamp_max(count(ALERTS{{alertname=~"{name}.*", alertstate="firing"}}), 1) or vector(0)',
                "eval_time": case.at,
                "exp_samples": [{"labels": "{}", "value": int(fires == "fires")}],
            }
            for name, fires in expected.items()
        ],
    }
