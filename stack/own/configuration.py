"""Renders what the Prometheus and the Alertmanager of the user's rules read, and has both programs check it first.

Everything lies under ``run/own`` of the home. The stack's own configuration is not touched.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from stack.commands import dialects_folder
from stack.configuration import (
    HEADER,
    OWN_LABEL,
    OWN_VALUE,
    ExternalLabels,
    Yaml,
    alertmanager_yml,
    prometheus_yml,
    scrape,
    targets,
)
from stack.own.alertmanager import check_alertmanager, scaled_alertmanager
from stack.own.dialects import files_beside, find_dialect
from stack.own.errors import RuleRefused
from stack.plan import OwnRules, Plan
from stack.rules import promtool
from stack.rules.errors import PromtoolRefused, UnscalableExpression
from stack.rules.read import load_rules
from stack.rules.scale import scale_rules
from stack.rules.write import write_rules

CANONICAL_JOB = "firedrill"


def render_own(plan: Plan) -> None:
    """Write ``run/own`` of the plan's home. Raises ``OwnError`` or ``RuleError``; nothing may be started then."""
    own = plan.own
    if own is None:
        return
    folder = plan.home.run / "own"
    (folder / "rules").mkdir(parents=True, exist_ok=True)
    rules = [
        rule_file(path, folder / "rules" / f"{index:02d}-{path.stem}.yml", plan) for index, path in numbered(own.rules)
    ]
    if own.dialect_file is not None:
        _bring_dialects(own.dialect_file, dialects_folder(plan))
    remark = f"{{}}, at pace {plan.pace.name} (durations divided by {plan.pace.factor:g})"
    alertmanager = folder / "alertmanager.yml"
    if own.alertmanager is not None:
        text = scaled_alertmanager(own.alertmanager, plan.pace)
        alertmanager.write_text(HEADER.format(remark.format(own.alertmanager)) + text, encoding="utf-8")
        for each in (own.alertmanager, alertmanager):  # the user's first: line numbers are then the user's
            check_alertmanager(own.alertmanager, each)
    else:
        text = alertmanager_yml(plan.endpoints, plan.pace, plan.home.token_file)
        alertmanager.write_text(HEADER.format(remark.format("stack/configuration.py")) + text, encoding="utf-8")
    text = prometheus_yml(
        plan.endpoints,
        plan.pace.interval_s,
        labels={**ExternalLabels().as_mapping(), OWN_LABEL: OWN_VALUE},
        rules=rules,
        scrapes=[_scrape(plan, own)],
        alertmanager="own_alertmanager",
    )
    (folder / "prometheus.yml").write_text(
        HEADER.format(remark.format("stack/own/configuration.py")) + text, encoding="utf-8"
    )


def numbered(rules: Sequence[Path]) -> list[tuple[int, Path]]:
    """Return the rule files with numbers: two of one name from different folders stay two."""
    return list(enumerate(rules, start=1))


def rule_file(source: Path, rendered: Path, plan: Plan) -> Path:
    """Write one rule file at the plan's pace and have promtool look at it."""
    try:
        scaled = scale_rules(load_rules(source), plan.pace.factor)
    except UnscalableExpression as error:
        raise RuleRefused(source, str(error), "start with `--pace production`") from None
    remark = f"{source}, at pace {plan.pace.name} (durations divided by {plan.pace.factor:g})"
    rendered.write_text(write_rules(scaled, remark), encoding="utf-8")
    try:
        promtool.check(rendered)
    except PromtoolRefused as error:
        said = error.output.replace(str(rendered), str(source)).strip()
        raise RuleRefused(source, f"promtool refuses it:\n{said}\n", "mend the rule") from None
    return rendered


def _bring_dialects(brought: Path, folder: Path) -> None:
    """Put the dialect that the user brought into a folder for the service, with those of ``DIALECTS_DIR``."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, path in enumerate(dict.fromkeys((*files_beside(), brought))):
        shutil.copyfile(path, folder / f"{index:02d}-{path.name}")  # two of one name stay two


def _scrape(plan: Plan, own: OwnRules) -> Mapping[str, Yaml]:
    """Return the one scrape job: the dialect's, with its target labels; without a dialect the service's own names."""
    ports = targets("service", plan.workers)
    if not own.dialect:
        return scrape(plan.endpoints, CANONICAL_JOB, *ports)
    dialect = find_dialect(str(own.dialect_file) if own.dialect_file else own.dialect)
    addresses = [plan.endpoints.address(port) for port in ports]
    return {
        "job_name": dialect.job,
        "params": {"dialect": [dialect.name]},
        "static_configs": [{"targets": addresses, **({"labels": dialect.labels} if dialect.labels else {})}],
    }
