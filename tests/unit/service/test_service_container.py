"""The container's files: .env.example is the settings, the Dockerfile names what exists, its health check works.

``python tests/unit/service/test_service_container.py`` prints the .env.example that belongs to the settings.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import mixed_clients
import pytest
from pydantic import SecretStr

from service.settings import Settings
from tests.levels import thorough

ROOT = Path(__file__).resolve().parents[3]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
INSTRUCTIONS = [
    (line.split(None, 1)[0], line.split(None, 1)[1])
    for line in re.sub(r"\\\n\s*", "", re.sub(r"(?m)^#.*\n", "", DOCKERFILE)).splitlines()
    if line.strip()
]
LAST_STAGE = INSTRUCTIONS[max(at for at, (word, _) in enumerate(INSTRUCTIONS) if word == "FROM") :]
"""The image of the service alone; the stage before it is the image of docker-compose.yml."""


def example() -> str:
    """Return the text of .env.example: every setting with its meaning and default."""
    head = (
        "# Every setting of the service with its default. Copy to .env and change what you need; empty means unset.\n"
    )
    return head + "".join(
        f"\n# {field.description}\n{name.upper()}={_written(field.default)}\n"
        for name, field in Settings.model_fields.items()
    )


def _written(default: Any) -> str:
    if default is None:
        return ""
    if isinstance(default, SecretStr):
        return default.get_secret_value()
    text = ",".join(default) if isinstance(default, tuple) else str(default)
    text = text.lower() if isinstance(default, bool) else text
    return f'"{text}"' if " " in text else text


def test_the_example_lists_every_setting() -> None:
    """The file is what the settings say; this module prints it anew."""
    assert (ROOT / ".env.example").read_text(encoding="utf-8") == example()


def test_the_example_loads_as_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copied as it is, it changes nothing."""
    monkeypatch.chdir(tmp_path)
    plain = Settings()
    (tmp_path / ".env").write_text((ROOT / ".env.example").read_text(encoding="utf-8"), encoding="utf-8")
    assert Settings() == plain


def test_the_image_is_built_in_stages_and_does_not_run_as_root() -> None:
    """Built in another stage, uid 1000, a health check, a signal that ends it; nothing copied in as that user."""
    last = LAST_STAGE
    assert len(last) < len(INSTRUCTIONS)
    said = dict(last)
    assert said["USER"] == "1000:1000"
    assert {"HEALTHCHECK", "EXPOSE", "CMD", "STOPSIGNAL"} <= set(said)
    assert json.loads(said["CMD"]) == ["python", "-m", "service"]
    order = [word for word, _ in last]
    assert "COPY" not in order[order.index("USER") :]


def test_what_the_image_copies_exists_and_is_not_ignored() -> None:
    """Every source of the build context is there and let through by .dockerignore."""
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    for word, rest in INSTRUCTIONS:
        if word != "COPY" or "--from" in rest:
            continue
        *sources, _ = shlex.split(rest)
        for source in sources:
            assert (ROOT / source).exists(), source
            ignored = False
            for rule in rules:
                if fnmatch(source, rule.removeprefix("!")):
                    ignored = not rule.startswith("!")
            assert not ignored, source


def test_the_image_sets_only_settings() -> None:
    """What the last stage sets is a setting of the service or one of Python's and the system's, and loads."""
    pairs = dict(part.split("=", 1) for word, rest in LAST_STAGE if word == "ENV" for part in shlex.split(rest))
    given = {name.lower(): value for name, value in pairs.items() if name not in {"PATH", "PYTHONDONTWRITEBYTECODE"}}
    assert set(given) <= set(Settings.model_fields)
    assert Settings(**given).host == "0.0.0.0"  # noqa: S104 - inside a container that is the way out


def test_the_image_leaves_out_only_what_the_service_does_not_import() -> None:
    """The requirements that the build drops are imported nowhere in the service."""
    dropped = re.search(r"grep -vE '\^\(([^)]+)\)", DOCKERFILE)
    assert dropped is not None
    names = "|".join(name.replace("-", "_") for name in dropped[1].split("|"))
    pattern = re.compile(rf"^\s*(?:from|import) (?:{names})\b", re.MULTILINE)
    assert [path.name for path in (ROOT / "service").rglob("*.py") if pattern.search(path.read_text())] == []


@thorough
def test_the_health_check_tells_a_living_service_from_a_dead_one(trained: Path, tmp_path: Path) -> None:
    """The very command of the Dockerfile succeeds while the service serves, and fails after it has ended."""
    command = json.loads(dict(INSTRUCTIONS)["HEALTHCHECK"].split("CMD ", 1)[1])

    def check(port: int) -> int:
        environment = {"PORT": str(port), "PATH": ""}
        return subprocess.run(
            [sys.executable, *command[1:]], env=environment, check=False, capture_output=True, timeout=30
        ).returncode

    with mixed_clients.service(trained, tmp_path) as (port, _, _):
        assert check(port) == 0
    assert check(port) != 0


if __name__ == "__main__":
    print(example(), end="")  # noqa: T201 - a command's output
