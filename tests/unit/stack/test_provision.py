"""Provisioning: PATH, cache, official release with checksum, Debian package, or an error that says what to do."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from small_releases import Publisher, archive, publisher, script
from small_tools import until

from stack import packages
from stack.bundles import (
    BUNDLES,
    OPTIONAL_BUNDLES,
    Bundle,
    BundleUnusable,
    Cache,
    UnknownProgram,
    bundle_of,
    home_of,
    on_path,
    version_of,
)
from stack.downloads import ChecksumMismatch, Progress
from stack.endpoints import HOST
from stack.home import is_offline
from stack.packages import fetch_package
from stack.probes import probe_now
from stack.provision import ProgramMissing, find_program, locate, provision
from tests.levels import on_request, thorough
from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[3]
PROMETHEUS, ALERTMANAGER = BUNDLES
GRAFANA = bundle_of("grafana")


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make PATH a folder with the tools of a Unix system, without apt, and without Prometheus."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in ("sh", "echo", "env"):
        found = shutil.which(tool)
        assert found is not None
        (folder / tool).symlink_to(found)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("FIREDRILL_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FIREDRILL_OFFLINE", raising=False)
    return folder


@pytest.fixture
def releases() -> Iterator[Publisher]:
    """Run a publisher of releases."""
    with publisher() as running:
        yield running


def place(folder: Path, name: str, content: bytes) -> Path:
    """Put an executable file into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_bytes(content)
    file.chmod(0o755)
    return file


def test_a_program_on_path_is_taken_as_it_is(path: Path) -> None:
    """What stands on PATH and is new enough wins, under the package's name too; nothing is asked of the network."""
    here = place(path, "prometheus-alertmanager", script("alertmanager", "0.28.1"))
    found = locate("alertmanager")
    assert found is not None
    assert (found.path, found.version, found.origin) == (here, "0.28.1", "path")
    assert provision(["alertmanager"], releases_url="http://127.0.0.1:1") == {"alertmanager": here}


@pytest.mark.parametrize(
    "content",
    [script("prometheus", "2.31.2"), b"#!/bin/sh\necho 'prometheus the movie, 2012'\n", b"#!/no/such/shell\n"],
    ids=["too old", "something else", "does not run"],
)
def test_an_unusable_program_on_path_is_passed_over(path: Path, content: bytes) -> None:
    """A program that is too old, a namesake or broken is not taken."""
    place(path, "prometheus", content)
    assert on_path("prometheus") is None


def test_a_release_is_fetched_checked_and_kept(path: Path, releases: Publisher, tmp_path: Path) -> None:
    """All programs of both bundles come from the official archives, run, and are found in the cache from then on."""
    releases.publish_all()
    seen: list[Progress] = []
    names = ["prometheus", "promtool", "alertmanager", "amtool"]
    found = provision(names, releases_url=releases.url, on_progress=seen.append)
    assert {name: version_of(name, file) for name, file in found.items()} == {
        "prometheus": PROMETHEUS.release,
        "promtool": PROMETHEUS.release,
        "alertmanager": ALERTMANAGER.release,
        "amtool": ALERTMANAGER.release,
    }
    assert seen[0].total_bytes == len(releases.files[releases.archives_asked()[0][0]])
    assert provision(names, releases_url="http://127.0.0.1:1") == found
    assert len(releases.archives_asked()) == 2
    where = locate("promtool")
    assert where is not None
    assert where.origin == "release"
    kept = sorted(file.name for file in found["promtool"].parent.iterdir())
    assert kept == ["LICENSE", "bundle.json", "prometheus", "promtool"]
    assert not list(tmp_path.rglob("escaped"))


def test_the_mirror_may_be_named_in_the_environment(
    path: Path, releases: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``FIREDRILL_RELEASES_URL`` says where releases come from."""
    releases.publish_all()
    monkeypatch.setenv("FIREDRILL_RELEASES_URL", releases.url + "/")
    assert version_of("amtool", find_program("amtool")) == ALERTMANAGER.release


def test_a_release_with_another_checksum_is_refused_and_deleted(
    path: Path, releases: Publisher, tmp_path: Path
) -> None:
    """An archive that is not the published one is never unpacked, nothing of it stays, and no other source is tried."""
    releases.publish(PROMETHEUS, archive(PROMETHEUS), digest="ab" * 32)
    with pytest.raises(ChecksumMismatch, match="refused and deleted"):
        provision(["prometheus"], releases_url=releases.url)
    files = [file.name for file in (tmp_path / "cache").rglob("*") if file.is_file()]
    assert files == ["fetch.lock"]


def test_a_broken_off_download_is_gone_on_with(path: Path, releases: Publisher) -> None:
    """What arrived before the line broke is kept; the next attempt asks for the rest only."""
    noise = random.Random(5).randbytes(150_000).hex().encode()
    content = archive(PROMETHEUS, padding=0)
    releases.publish(PROMETHEUS, content + noise)
    releases.cut_after = 100_000
    with pytest.raises(ProgramMissing, match="could not be fetched"):
        provision(["prometheus"], releases_url=releases.url)
    found = provision(["prometheus"], releases_url=releases.url)
    assert [span for _, span in releases.archives_asked()] == [None, "bytes=100000-"]
    assert version_of("prometheus", found["prometheus"]) == PROMETHEUS.release


@pytest.mark.parametrize("bundle", OPTIONAL_BUNDLES, ids=lambda bundle: bundle.name)
def test_an_optional_program_is_fetched_by_choice_alone(
    path: Path, releases: Publisher, tmp_path: Path, bundle: Bundle
) -> None:
    """Looking for it asks nobody; fetching it takes its publisher's archive, checked, in its publisher's own form."""
    releases.publish_all()
    assert locate(bundle.name) is None
    assert releases.asked == []
    found = provision([bundle.name], releases_url=releases.url)[bundle.name]
    assert version_of(bundle.name, found) == bundle.release
    where = locate(bundle.name)
    assert where is not None
    assert (where.path, where.version, where.origin) == (found, bundle.release, "release")
    assert len(releases.archives_asked()) == 1
    assert not list(tmp_path.rglob("escaped"))


def test_grafana_comes_with_its_pages(path: Path, releases: Publisher) -> None:
    """Of Grafana's archive all is kept but source maps, and its home is found for the program."""
    releases.publish_all()
    found = provision(["grafana"], releases_url=releases.url)["grafana"]
    home = found.parent.parent
    assert home_of("grafana", found) == home
    kept = {str(file.relative_to(home)) for file in home.rglob("*") if file.is_file()}
    assert kept == {"bin/grafana", "conf/defaults.ini", "public/a.js", "LICENSE", "big.yml", "bundle.json"}


def test_grafana_on_path_counts_where_its_pages_are_found(path: Path, tmp_path: Path) -> None:
    """A packaged Grafana is started as its package's own program; one without pages cannot be."""
    place(path, "grafana", script("grafana", "12.1.0"))
    assert on_path("grafana") is None
    home = tmp_path / "share" / "grafana"
    program = place(home / "bin", "grafana", script("grafana", "12.1.0"))
    place(home / "conf", "defaults.ini", b"")
    (home / "public").mkdir()
    found = on_path("grafana")
    assert found is not None
    assert (found.path, found.origin) == (program, "path")
    assert home_of("grafana", found.path) == home
    assert home_of("prometheus", found.path) is None


def test_a_grafana_that_was_tampered_with_is_refused(path: Path, releases: Publisher, tmp_path: Path) -> None:
    """An archive that is not what the catalogue lists is deleted."""
    releases.publish(GRAFANA, archive(GRAFANA), digest="ab" * 32)
    with pytest.raises(ChecksumMismatch, match="refused and deleted"):
        provision(["grafana"], releases_url=releases.url)
    assert locate("grafana") is None
    assert not list((tmp_path / "cache").rglob("*.gz"))


@pytest.mark.parametrize(
    ("answer", "said"),
    [(b"<html>", "no list of packages"), (b'{"items": []}', "no archive with a checksum"), (None, "404")],
    ids=["no list", "none for this system", "no such version"],
)
def test_a_catalogue_that_does_not_help_is_named(
    path: Path, releases: Publisher, answer: bytes | None, said: str
) -> None:
    """What is wrong with the answer stands in the error, with the page where a person finds Grafana, and no apt."""
    if answer is not None:
        releases.files[GRAFANA.packages.format(release=GRAFANA.release)] = answer
    with pytest.raises(ProgramMissing, match=said) as caught:
        provision(["grafana"], releases_url=releases.url)
    assert "https://grafana.com/grafana/download" in str(caught.value)
    assert "apt-get" not in str(caught.value)


def test_a_release_that_does_not_run_here_is_passed_over(path: Path, releases: Publisher) -> None:
    """An archive with good checksum whose programs do not run is no find; the error says so."""
    releases.publish(PROMETHEUS, archive(PROMETHEUS, version="1.8.2"))
    with pytest.raises(ProgramMissing, match=r"version 1\.8\.2 is too old"):
        provision(["prometheus"], releases_url=releases.url)
    assert locate("prometheus") is None


def test_a_killed_attempt_leaves_nothing_that_counts(path: Path, releases: Publisher, tmp_path: Path) -> None:
    """A half-unpacked bundle of a killed process is not found, and is cleared away by the next attempt."""
    half = tmp_path / "cache" / "programs" / ".work-killed" / "bundle"
    place(half, "prometheus", script("prometheus", "3.14.0"))
    assert locate("prometheus") is None
    releases.publish_all()
    provision(["prometheus"], releases_url=releases.url)
    assert not half.exists()


def test_two_processes_fetch_once(path: Path, releases: Publisher) -> None:
    """Two processes that miss the same program take turns; the second uses what the first fetched."""
    releases.publish_all()
    program = (
        "import sys; from stack.provision import provision; "
        f"print(provision(['prometheus'], releases_url={releases.url!r}))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    racers = [
        subprocess.Popen([sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = {racer.communicate(timeout=30)[0] for racer in racers}
    assert [racer.returncode for racer in racers] == [0, 0]
    assert len(said) == 1
    assert len(releases.archives_asked()) == 1


def test_offline_nothing_is_fetched(path: Path, releases: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    """With ``FIREDRILL_OFFLINE=1`` the network is left alone and the error says what to install."""
    releases.publish_all()
    monkeypatch.setenv("FIREDRILL_OFFLINE", "1")
    with pytest.raises(ProgramMissing, match=r"FIREDRILL_OFFLINE is set.*apt-get install prometheus\b"):
        provision(["prometheus"], releases_url=releases.url)
    assert releases.asked == []


def test_where_nothing_helps_the_error_says_what_was_tried_and_what_to_do(path: Path) -> None:
    """Without a release and without apt the message names every attempt, packages and addresses."""
    with pytest.raises(ProgramMissing) as caught:
        provision(["alertmanager"], releases_url="http://127.0.0.1:1")
    message = str(caught.value)
    assert "http://127.0.0.1:1/prometheus/alertmanager/releases/download/v0.33.0/sha256sums.txt" in message
    assert "this machine has no apt-get" in message
    assert "apt-get install prometheus-alertmanager" in message
    assert "https://github.com/prometheus/alertmanager/releases" in message


def test_an_unknown_program_is_refused() -> None:
    """A name that no bundle has is a mistake that is named."""
    with pytest.raises(UnknownProgram, match="known programs: prometheus, promtool, alertmanager, amtool, node_exp"):
        bundle_of("grafanna")


def test_a_program_that_does_not_run_is_said_to_be_so(tmp_path: Path) -> None:
    """Asking a broken program for its version names it and the reason."""
    with pytest.raises(BundleUnusable, match=r"promtool from .* does not run on this machine"):
        version_of("promtool", place(tmp_path, "promtool", b"\x7fELF not really"))


def test_a_program_with_a_compiled_in_folder_runs_from_wherever_it_lies(tmp_path: Path) -> None:
    """A packaged program that looks for its data at a fixed place finds them beside itself, from any directory."""
    folder = ALERTMANAGER.data_folder
    place(
        tmp_path / "usr" / "bin", "prometheus-alertmanager", f"#!/bin/sh\ncat {folder}/default.tmpl; echo $1\n".encode()
    )
    data = tmp_path / folder.lstrip("/")
    data.mkdir(parents=True)
    (data / "default.tmpl").write_text("the template, ")
    start = packages._place(ALERTMANAGER, "alertmanager", tmp_path)
    assert start == "bin/alertmanager"
    said = subprocess.run([str(tmp_path / start), "a b"], capture_output=True, text=True, check=True, cwd="/")
    assert said.stdout == "the template, a b\n"
    assert packages._place(ALERTMANAGER, "amtool", tmp_path) is None


def _debian_package_is_at_hand() -> bool:
    if shutil.which("apt-get") is None or is_offline():
        return False
    command = ["apt-get", "download", "--print-uris", "prometheus-alertmanager"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@thorough
@pytest.mark.live
@pytest.mark.parametrize("lists", ["the machine's", pytest.param("none", marks=on_request)])
def test_a_debian_package_is_unpacked_without_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lists: str) -> None:
    """Where there is no release the real package is unpacked privately and runs, also without package lists."""
    if not _debian_package_is_at_hand():
        pytest.skip("needs a Debian or Ubuntu with a package mirror")
    if lists == "none":
        empty = tmp_path / "lists"
        empty.mkdir()
        (tmp_path / "apt.conf").write_text(f'Dir::State::lists "{empty}/";\n')
        monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))
    store = Cache(tmp_path / "cache" / "programs")
    said: list[str] = []
    fetch_package(ALERTMANAGER, store, on_progress=lambda progress: said.append(progress.text))
    found = store.find("amtool")
    assert found is not None
    assert found.origin == "package"
    assert version_of("amtool", found.path) == found.version
    assert ("apt-get update (private package lists)" in said) == (lists == "none")
    alertmanager = store.find("alertmanager")
    assert alertmanager is not None
    (tmp_path / "alertmanager.yml").write_text("route: {receiver: none}\nreceivers: [{name: none}]\n")
    port = free_port()
    files = [f"--config.file={tmp_path}/alertmanager.yml", f"--storage.path={tmp_path}/data"]
    address = [f"--web.listen-address={HOST}:{port}", "--cluster.listen-address="]
    with subprocess.Popen([str(alertmanager.path), *files, *address], cwd="/") as process:
        until(lambda: probe_now(port, "/-/ready").ready or process.poll() is not None)
        assert process.poll() is None, "Alertmanager runs from its private folder"
        process.terminate()


def test_both_runtimes_pin_the_same_versions() -> None:
    """The releases that are fetched are those whose images the Compose file names."""
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    tags = {
        image.partition(":")[0].rpartition("/")[2].replace("-", "_"): image.partition(":")[2].removeprefix("v")
        for image in (service["image"] for service in compose["services"].values())
    }
    assert {bundle.name: tags[bundle.name] for bundle in (*BUNDLES, *OPTIONAL_BUNDLES)} == {
        bundle.name: bundle.release for bundle in (*BUNDLES, *OPTIONAL_BUNDLES)
    }
