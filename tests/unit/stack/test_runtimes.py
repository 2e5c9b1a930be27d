"""Which runtime is taken and found: without an engine, with the records of either, and what a build would see."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from stack import docker_stack, runtimes
from stack.docker_engine import EngineUnavailable, connect
from stack.docker_images import context_files
from stack.docker_options import Options
from stack.docker_record import DockerRecord, forget_record, load_record, project_name
from stack.docker_status import read_inside
from stack.home import Home

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def no_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Point Docker at a socket that nobody listens on; return its address."""
    address = f"unix://{tmp_path / 'nobody.sock'}"
    monkeypatch.setenv("DOCKER_HOST", address)
    return address


def record(**changes: object) -> DockerRecord:
    """Return the record of a small stack in containers."""
    facts = {"project": "p", "offset": 100, "pace": "workshop", "traffic": True, "started_at": time.time()}
    return DockerRecord.model_validate({**facts, "components": ("config", "service"), **changes})


def test_auto_is_native_where_no_engine_answers(no_engine: str) -> None:
    """`auto` asks the engine; the others ask nobody."""
    assert runtimes.choose("auto") == "native"
    assert runtimes.choose("docker") == "docker"


def test_a_missing_engine_is_named_with_what_to_do(no_engine: str, tmp_path: Path) -> None:
    """The message has the address, the system's reason and the other runtime."""
    with pytest.raises(EngineUnavailable, match=r"nobody\.sock \(No such file or directory\).*--runtime native"):
        connect()
    with pytest.raises(EngineUnavailable):
        docker_stack.up(Options(Home(tmp_path)))


def test_the_context_of_the_docker_command_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where DOCKER_HOST is unset, the context that `docker context use` chose says where the engine is."""
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    meta = tmp_path / "contexts" / "meta" / "abc"
    meta.mkdir(parents=True)
    (tmp_path / "config.json").write_text('{"currentContext": "desk"}')
    (meta / "meta.json").write_text('{"Name": "desk", "Endpoints": {"docker": {"Host": "unix:///nowhere/desk.sock"}}}')
    with pytest.raises(EngineUnavailable, match=r"unix:///nowhere/desk\.sock"):
        connect()


def test_a_record_says_where_the_containers_are(tmp_path: Path) -> None:
    """Other commands find the ports by it; one that is damaged or forgotten is none."""
    home = Home(tmp_path)
    assert load_record(home) is None
    assert runtimes.find_endpoints(home) is None
    record().save(home)
    assert load_record(home) == record(started_at=load_record(home).started_at)  # type: ignore[union-attr]
    endpoints = runtimes.find_endpoints(home)
    assert endpoints is not None
    assert endpoints.url("conductor") == "http://127.0.0.1:8800"
    assert runtimes.running(home) == "docker"
    (home.run / "docker.json").write_text("{")
    assert load_record(home) is None
    forget_record(home)
    assert runtimes.running(home) is None


def test_a_stack_whose_engine_is_gone_is_shown_as_such(tmp_path: Path, no_engine: str) -> None:
    """The status names the engine that does not answer rather than call the stack down; a second start is refused."""
    home = Home(tmp_path)
    record().save(home)
    now = runtimes.read_status(home)
    assert (now.state, now.runtime, now.components) == ("degraded", "docker", ())
    assert "no Docker engine answers" in now.detail
    with pytest.raises(runtimes.OtherRuntime, match="up in the docker runtime; stop it first"):
        runtimes.forbid_other(home, "native")


def test_inside_a_container_the_parts_are_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not answer is down, with the reason; links lead to this machine's ports."""
    monkeypatch.setenv("FIREDRILL_RUNTIME", "docker")
    monkeypatch.setenv("FIREDRILL_PARTS", "prometheus,grafana")
    monkeypatch.setenv("FIREDRILL_HOSTS", "prometheus=127.0.0.1,grafana=127.0.0.1")
    monkeypatch.setenv("FIREDRILL_PORT_OFFSET", "50000")
    monkeypatch.setenv("FIREDRILL_PUBLISHED_OFFSET", "7")
    now = read_inside()
    assert [(part.name, part.state) for part in now.components] == [("prometheus", "down"), ("grafana", "down")]
    assert now.components[0].url == "http://127.0.0.1:9097/"
    assert "nothing listens" in now.detail
    assert runtimes.read_status(Home(tmp_path)).runtime == "docker"


def test_stacks_on_other_ports_have_other_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """So two stacks of one engine share neither containers nor volumes; a name can be given."""
    monkeypatch.delenv("FIREDRILL_PROJECT", raising=False)
    assert project_name(0) == "firedrill"
    assert project_name(1000) == "firedrill-1000"
    monkeypatch.setenv("FIREDRILL_PROJECT", "mine")
    assert project_name(1000) == "mine"


def test_a_build_sees_what_dockerignore_lets_through(tmp_path: Path) -> None:
    """The last rule that matches a path, or a folder above it, decides; the Dockerfile always goes along."""
    for name in ("a/x.py", "a/__pycache__/x.pyc", "b/y.py", "Dockerfile", "secret"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text("")
    (tmp_path / ".dockerignore").write_text("# a comment\n*\n!a\n**/__pycache__\n")
    assert {path.relative_to(tmp_path).as_posix() for path in context_files(tmp_path)} == {"a/x.py", "Dockerfile"}


def test_our_own_images_are_made_of_code_only() -> None:
    """No cache, no test, no stack's data and nothing hidden goes to the engine."""
    seen = {path.relative_to(ROOT).as_posix() for path in context_files(ROOT)}
    assert {"requirements.txt", "service/app.py", "stack/config/docker/answers", "panel/app.py", "Dockerfile"} <= seen
    assert not [name for name in seen if name.startswith((".firedrill", ".git", "tests")) or "__pycache__" in name]
