"""Bundles for rooms without internet: made of a tiny project with tiny wheels, inspected, and installed from."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from importlib.metadata import distributions
from pathlib import Path

import pytest
from small_releases import script

from stack.bundles import BUNDLES, Cache
from stack.kit import inspection, programs, sizes
from stack.kit.errors import KitError, NoCheckout, OutBusy, OutTaken, ProgramsMissing, WheelsMissing
from stack.kit.making import Made, OnText, Wanted, make
from stack.locks import FileLock
from tests.levels import thorough

ROOT = Path(__file__).resolve().parents[3]


def wheel(folder: Path, name: str, version: str = "1.0") -> Path:
    """Write the smallest wheel that pip installs."""
    folder.mkdir(parents=True, exist_ok=True)
    info = f"{name}-{version}.dist-info"
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.py", f"WORD = {name!r}\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return path


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a project of a few files with the real launcher; pip finds its one requirement in a folder."""
    root = tmp_path / "a checkout"
    for name in ("firedrill", "stack/kit/inspection.py", "stack/config/kit/sizes.txt"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, root / name)
    for name in ("service", "faults", "panel/__pycache__", "tests"):
        (root / name).mkdir(parents=True)
    (root / "panel/__init__.py").touch()
    (root / "panel/cli.py").write_text("import sys\nimport tiny_need\nprint('runs', tiny_need.WORD, *sys.argv[1:])\n")
    (root / "panel/__pycache__/cli.pyc").touch()
    (root / "requirements.txt").write_text("# needed\ntiny_need>=1.0\n")
    (root / "pyproject.toml").write_text('[project]\nname = "firedrill"\nversion = "9.9"\n')
    wheel(tmp_path / "index", "tiny_need")
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    monkeypatch.setenv("FIREDRILL_CACHE", str(tmp_path / "cache"))
    for name in ("FIREDRILL_BUNDLE", "FIREDRILL_OFFLINE", "FIREDRILL_VENV", "FIREDRILL_HOME", "PYTHONPATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FIREDRILL_PYTHON", sys.executable)
    return root


def collect(folder: Path, on_text: OnText) -> Sequence[str]:
    """Put an unpacked program where a bundle keeps them."""
    on_text("collecting")
    home = folder / "prometheus-release-3.14.0"
    home.mkdir(parents=True, exist_ok=True)
    (home / "prometheus").write_bytes(script("prometheus", "3.14.0"))
    (home / "prometheus").chmod(0o755)
    manifest = {"bundle": "prometheus", "version": "3.14.0", "origin": "release", "source": "here", "sha256": "0" * 64}
    (home / "bundle.json").write_text(json.dumps({**manifest, "programs": {"prometheus": "prometheus"}}))
    return ["prometheus 3.14.0"]


def made(checkout: Path, out: Path) -> Made:
    """Make a bundle of the tiny project."""
    return make(Wanted(out, chromium=False, root=checkout), lambda _text: None, collect=collect)


def run(program: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a launcher."""
    return subprocess.run(
        ["sh", str(program), *arguments], env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


@thorough
def test_a_bundle_installs_and_runs_without_any_index(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made, copied elsewhere, installed from its own wheels alone, started; damage and foreign machines are refused."""
    told: list[str] = []
    bundle = make(Wanted(tmp_path / "out", chromium=False, root=checkout), told.append, collect=collect)
    assert told[0].startswith("to download at most: about ")
    assert not (tmp_path / "out.part").exists()
    assert not list(bundle.out.rglob("*.pyc"))
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "nothing"))
    copied = tmp_path / "a stick" / "bundle"
    shutil.copytree(bundle.out, copied)
    done = run(copied / "firedrill", "status", "--json")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "runs tiny_need status --json\n"
    assert "first run" not in done.stderr
    assert Cache(tmp_path / "cache" / "programs").find("prometheus")
    again = run(copied / "firedrill", "status")
    assert (again.stdout, again.stderr) == ("runs tiny_need status\n", "")

    other = json.loads((copied / inspection.MANIFEST).read_text())
    for changed, said in (
        ({"python": "3.1"}, "made for Python 3.1 and this is Python"),
        ({"platform": "plan9-vax"}, "made for plan9-vax and this machine is"),
    ):
        (copied / inspection.MANIFEST).write_text(json.dumps({**other, **changed}))
        assert any(said in each for each in inspection.problems(copied))
    (copied / inspection.MANIFEST).write_text(json.dumps(other, indent=1))
    (next((copied / "wheels").glob("*.whl"))).write_bytes(b"gone bad")
    shutil.rmtree(copied / "project" / ".venv")
    refused = run(copied / "firedrill", "status")
    assert refused.returncode == 2
    assert "1 of its" in refused.stderr
    assert "are damaged: wheels/tiny_need" in refused.stderr
    assert not (copied / "project" / ".venv").exists()
    (copied / inspection.MANIFEST).unlink()
    assert "no complete bundle" in run(copied / "firedrill", "status").stderr


@thorough
def test_a_first_run_says_beforehand_how_much_it_downloads(checkout: Path) -> None:
    """The launcher names the sum and its parts before pip begins, and not again once it is installed."""
    first = run(checkout / "firedrill", "status")
    assert first.stdout == "runs tiny_need status\n", first.stderr
    known = sizes.table()
    packages = known["wheels"] + known["torch"]
    assert f"Python packages {packages:.0f} MB" in first.stderr
    assert first.stderr.index("first run: about ") < first.stderr.index("installing")
    assert run(checkout / "firedrill", "status").stderr == ""


@thorough
def test_a_run_that_was_cut_off_leaves_nothing_complete_and_is_gone_on_with(checkout: Path, tmp_path: Path) -> None:
    """Without a program there is only DIR.part, whose wheels the next run finds there."""

    def broken(folder: Path, _on_text: OnText) -> Sequence[str]:
        raise ProgramsMissing("prometheus", ["no network"], folder)

    out = tmp_path / "out"
    with pytest.raises(ProgramsMissing, match="goes on from there"):
        make(Wanted(out, chromium=False, root=checkout), lambda _text: None, collect=broken)
    assert not out.exists()
    assert not (tmp_path / "out.part" / inspection.MANIFEST).exists()
    kept = next((tmp_path / "out.part" / "wheels").glob("*.whl"))
    before = kept.stat().st_mtime_ns
    shutil.rmtree(tmp_path / "index")  # nothing else could bring the wheel now
    assert made(checkout, out).files > 5
    assert (out / "wheels" / kept.name).stat().st_mtime_ns == before


def test_what_cannot_become_a_bundle_is_refused_in_words(checkout: Path, tmp_path: Path) -> None:
    """A folder that is there, another run at work, a project without its parts, and wheels that nobody has."""
    with pytest.raises(OutTaken, match="name another folder"):
        made(checkout, checkout)
    lock = FileLock(tmp_path / "out.part" / ".lock")
    assert lock.acquire()
    with pytest.raises(OutBusy):
        made(checkout, tmp_path / "out")
    lock.release()
    (checkout / "requirements.txt").write_text("tiny_want>=2\n")
    with pytest.raises(WheelsMissing, match="tiny_want"):
        made(checkout, tmp_path / "out")
    shutil.rmtree(checkout / "service")
    with pytest.raises(NoCheckout, match="service"):
        made(checkout, tmp_path / "out")
    assert issubclass(NoCheckout, KitError)


def test_programs_come_from_this_machine_s_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the cache has is copied whole; what it has not is said with everything that was tried."""
    here = tmp_path / "here"
    collect(here, lambda _text: None)
    target = tmp_path / "there"
    assert programs.collect(target, lambda _text: None, bundles=BUNDLES[:1], known=here) == ["prometheus 3.14.0"]
    found = Cache(target).find("prometheus")
    assert found is not None
    assert (
        hashlib.sha256(found.path.read_bytes()).digest()
        == hashlib.sha256((here / "prometheus-release-3.14.0" / "prometheus").read_bytes()).digest()
    )
    monkeypatch.setenv("FIREDRILL_RELEASES_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ProgramsMissing, match="alertmanager could not be fetched"):
        programs.collect(target, lambda _text: None, bundles=BUNDLES[1:], known=here)


def test_the_table_of_sizes_is_about_right() -> None:
    """Wheels are packed: what is downloaded is between an eighth and all of what is installed."""
    known = sizes.table()
    installed = {
        distribution.metadata["Name"].lower().replace("_", "-"): sum(
            file.size or 0 for file in distribution.files or ()
        )
        / 1e6
        for distribution in distributions()
    }
    torch = installed.get("torch", 0.0)
    assert torch / 8 <= known["torch"] <= torch
    rest = sum(installed.values()) - torch
    assert rest / 8 <= known["wheels"] + known["test"] <= rest
    estimate = sizes.of_bundle(test=True, chromium=True)
    assert estimate.total_mb == pytest.approx(sum(known.values()))
    assert "PyTorch" in str(estimate)
    assert "Chromium" not in str(sizes.of_bundle(test=False, chromium=False))
