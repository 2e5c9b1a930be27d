"""What happens before a stack starts, with stand-ins of programs on PATH, which know their version and nothing else."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from small_releases import script

from stack.catalogue import OPTIONAL_BUNDLES
from stack.component import wanted
from stack.components import COMPONENTS
from stack.configuration import GRAFANA_SOURCE, NOT_NATIVE
from stack.doctor import doctor
from stack.endpoints import Endpoints
from stack.events import Event, ignore
from stack.home import Home
from stack.plan import OwnRules, Plan
from stack.preparation import ChosenAndNot, NotOptional, Options, prepare, write_configuration
from stack.provision import ProgramMissing
from stack.rules import promtool
from tests.ports import free_endpoints

MANDATORY = ("prometheus", "alertmanager")


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder that PATH has in front, with stand-ins of the programs that every stack needs."""
    monkeypatch.setenv("FIREDRILL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FIREDRILL_OFFLINE", "1")
    monkeypatch.delenv("GF_SECURITY_ADMIN_PASSWORD", raising=False)
    folder = tmp_path / "install" / "bin"
    folder.mkdir(parents=True)
    for name in MANDATORY:
        put(folder, name, "9.9.9")
    monkeypatch.setenv("PATH", os.pathsep.join([str(folder), "/usr/bin", "/bin"]))
    return folder


@pytest.fixture
def options(tmp_path: Path) -> Options:
    """Return what to start, without writing any configuration."""
    return Options(Home(tmp_path / "home"), offset=free_endpoints().offset, prepare=lambda _plan: None)


def put(folder: Path, name: str, version: str) -> None:
    """Put a stand-in into ``folder``."""
    (folder / name).write_bytes(script(name, version))
    (folder / name).chmod(0o755)


def put_all(folder: Path) -> None:
    """Put stand-ins of all optional programs into ``folder``, with the files that Grafana's home is known by."""
    for bundle in OPTIONAL_BUNDLES:
        put(folder, bundle.name, bundle.release)
    for part in ("conf", "public"):
        (folder.parent / part).mkdir()
    (folder.parent / "conf" / "defaults.ini").touch()


def names(plan: Plan) -> set[str]:
    """Return what a stack consists of."""
    return {row.name for row in wanted(COMPONENTS, plan)}


def test_without_optional_programs_a_stack_has_parts_of_our_own(programs: Path, options: Options) -> None:
    """The embedded trace store and the exporter of our own take their places; nothing is fetched."""
    plan = prepare(options, ignore)
    assert set(plan.programs) == set(MANDATORY)
    assert {"tracestore", "node"} <= names(plan)
    assert not names(plan) & {"jaeger", "grafana"}


def test_optional_programs_on_path_are_taken_and_can_be_left_out(programs: Path, options: Options) -> None:
    """Real ones stand in for our own, `--without` brings ours back, and a version too old does not count."""
    put_all(programs)
    plan = prepare(options, ignore)
    assert {"jaeger", "grafana", "node"} <= names(plan)
    assert "tracestore" not in names(plan)
    rows = {row.name: row for row in COMPONENTS}
    assert rows["node"].argv(plan)[0] == str(programs / "node_exporter")
    assert rows["jaeger"].argv(plan)[0] == str(programs / "jaeger")
    assert [*rows["grafana"].argv(plan)][1:] == ["server", f"--homepath={programs.parent}"]

    left_out = prepare(replace(options, without=frozenset({"jaeger", "node", "grafana"})), ignore)
    assert "tracestore" in names(left_out)
    assert not names(left_out) & {"jaeger", "grafana", "node"}

    put(programs, "jaeger", "1.76.0")
    assert "tracestore" in names(prepare(options, ignore)), "Jaeger 1 is configured in another way"


def test_what_is_chosen_is_fetched_and_what_cannot_be_is_said(programs: Path, options: Options) -> None:
    """`--with` of something that is nowhere fails where fetching is forbidden; a wrong name lists the right ones."""
    with pytest.raises(ProgramMissing, match="grafana not found"):
        prepare(replace(options, fetch=frozenset({"grafana"})), ignore)
    for wrong in (replace(options, fetch=frozenset({"moon"})), replace(options, without=frozenset({"service"}))):
        with pytest.raises(NotOptional, match="jaeger"):
            prepare(wrong, ignore)
    with pytest.raises(ChosenAndNot, match="--with node and --without node"):
        prepare(replace(options, fetch=frozenset({"node"}), without=frozenset({"node"})), ignore)


def test_grafanas_password_is_told_once(programs: Path, options: Options, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made and said at the first start, kept, and neither made nor said where the user chose one."""
    put_all(programs)
    said: list[Event] = []
    with monkeypatch.context() as chosen:
        chosen.setenv("GF_SECURITY_ADMIN_PASSWORD", "of my own")
        prepare(options, said.append)
    assert not said
    assert not options.home.grafana_password_file.exists()
    for _ in range(2):
        prepare(options, said.append)
    (event,) = said
    assert options.home.grafana_password() in event.text
    assert str(options.home.grafana_password_file) in event.text


def test_configuration_follows_what_runs(programs: Path, options: Options, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prometheus scrapes Jaeger and Grafana where they run; Grafana's files are laid out without Loki; leftovers go."""
    put_all(programs)
    plan = prepare(options, ignore)
    monkeypatch.undo()  # promtool is a real one
    stale = plan.home.run / "own" / "rules" / "stale.yml"
    stale.parent.mkdir(parents=True)
    stale.touch()
    write_configuration(plan)
    text = (plan.home.run / "prometheus.yml").read_text(encoding="utf-8")
    promtool.check_config(plan.home.run / "prometheus.yml")
    assert (
        f"job_name: jaeger\n  static_configs:\n  - targets:\n    - {plan.endpoints.address('jaeger_metrics')}" in text
    )
    assert "job_name: grafana" in text
    assert "tracestore" not in text
    laid_out = {str(path.relative_to(plan.home.run / "grafana")) for path in (plan.home.run / "grafana").rglob("*.yml")}
    shipped = {str(path.relative_to(GRAFANA_SOURCE)) for path in GRAFANA_SOURCE.rglob("*.yml")}
    assert laid_out == {name for name in shipped if Path(name).name not in NOT_NATIVE}
    assert not stale.exists()


def test_nothing_is_rendered_of_rules_that_are_refused(options: Options, tmp_path: Path) -> None:
    """The user's rules are looked at before anything of the stack's own is written."""
    bad = tmp_path / "bad.yml"
    bad.write_text("groups: 5")
    plan = Plan(
        options.home, endpoints=Endpoints(options.offset), pace=options.pace, traffic=True, own=OwnRules((bad,))
    )
    with pytest.raises(Exception, match=r"bad\.yml"):
        write_configuration(plan)
    assert not (options.home.run / "prometheus.yml").exists()


def test_doctor_tells_of_optional_programs(programs: Path, options: Options) -> None:
    """What is not there is fine and says how to get it; what is there says how to leave it out."""
    told = {finding.name: finding for finding in doctor(options.home)}
    assert {told[bundle.name].level for bundle in OPTIONAL_BUNDLES} == {"ok"}
    assert "`up --with node` fetches it" in told["node_exporter"].text
    put_all(programs)
    told = {finding.name: finding for finding in doctor(options.home)}
    assert "2.20.0 from" in told["jaeger"].text
    assert "`up --without jaeger` leaves it out" in told["jaeger"].text
