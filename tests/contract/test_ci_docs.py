"""docs/ci.md and the hooks for pre-commit say what there is: YAML that reads, commands, options and hooks."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from panel.cli import application

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/ci.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL)
HOOKS: list[dict[str, Any]] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
ROOT_COMMAND = typer.main.get_command(application())


def options_of(words: list[str]) -> tuple[set[str], list[str]]:
    """Return the options of the command that ``words`` begin with, and the rest of them; fail where there is none."""
    command: Any = ROOT_COMMAND
    while words and words[0] in getattr(command, "commands", {}):
        command, words = command.commands[words[0]], words[1:]
    assert not hasattr(command, "commands"), f"no command: {words[:1]}"
    return {name for parameter in command.params for name in parameter.opts}, words


def assert_is_a_command(line: str) -> None:
    """Fail where ``line``, what stands behind ``firedrill``, is no command with options of its own."""
    known, rest = options_of(shlex.split(line))
    assert {word.partition("=")[0] for word in rest if word.startswith("--")} <= known, line


def told_commands() -> list[str]:
    """Return every use of the launcher in the page, without the launcher."""
    joined = re.sub(r"`\./firedrill ([^`]*)`", lambda found: "\n./firedrill " + " ".join(found[1].split()) + "\n", TEXT)
    return re.findall(r"\./(?:firedrill/)?firedrill (.+)$", joined, flags=re.MULTILINE)


def test_every_block_is_yaml_and_each_system_has_one() -> None:
    """There is a workflow for GitHub, a configuration for pre-commit and a job for GitLab."""
    documents = [yaml.safe_load(block) for block in BLOCKS]
    assert [next(iter(one)) for one in documents] == ["name", "repos", "alert rules"]


@pytest.mark.parametrize("line", told_commands())
def test_every_command_of_the_page_exists(line: str) -> None:
    """Each command line of the page is a command with options that it has."""
    assert_is_a_command(line)


def test_the_workflow_runs_the_check_on_a_checkout_and_caches() -> None:
    """It checks out rules and Firedrill, keeps the environment, models and programs, and uploads what it wrote."""
    (workflow,) = (yaml.safe_load(block) for block in BLOCKS if "runs-on" in block)
    steps = workflow["jobs"]["check"]["steps"]
    uses = [step.get("uses", "").partition("@")[0] for step in steps]
    assert uses.count("actions/checkout") == 2
    (cache,) = (step for step in steps if step.get("uses", "").startswith("actions/cache@"))
    kept = cache["with"]["path"].split()
    assert kept == ["firedrill/.venv", "firedrill/.firedrill/artifacts", "~/.cache/firedrill"]
    (run,) = (step["run"] for step in steps if "run" in step)
    assert run.startswith("./firedrill/firedrill check ")
    (upload,) = (step for step in steps if step.get("uses", "").startswith("actions/upload-artifact@"))
    assert set(upload["with"]["path"].split()) <= set(run.split())


@pytest.mark.parametrize("hook", HOOKS, ids=[hook["id"] for hook in HOOKS])
def test_every_hook_starts_the_launcher_with_a_command_that_exists(hook: dict[str, Any]) -> None:
    """A hook is a script of this repository, takes rule files, and is in the page's table."""
    program, _, line = hook["entry"].partition(" ")
    assert (ROOT / program).stat().st_mode & 0o111
    assert hook["language"] == "script"
    assert_is_a_command(line)
    assert re.search(hook["files"], "rules/a.yml")
    assert re.search(hook["files"], "monitoring/rule/a.yaml")
    assert not re.search(hook["files"], "docs/a.yml")
    assert f"| `{hook['id']}` |" in TEXT


def test_the_page_uses_hooks_that_there_are() -> None:
    """The example for pre-commit names hooks of .pre-commit-hooks.yaml."""
    (example,) = (yaml.safe_load(block) for block in BLOCKS if block.startswith("repos:"))
    used = {hook["id"] for repository in example["repos"] for hook in repository["hooks"]}
    assert used <= {hook["id"] for hook in HOOKS}


def test_the_page_of_exports_tells_every_option() -> None:
    """The options that docs/export.md tells of are those that `drill export` has, all of them."""
    text = (ROOT / "docs/export.md").read_text(encoding="utf-8")
    known, _ = options_of(["drill", "export"])
    told = set(re.findall(r"`(--[a-z]+)", text))
    assert told <= known
    assert {name for name in known if name.startswith("--")} - {"--help"} == told
