"""The images of a stack: ours are built from this checkout, the others pulled where they are missing.

Ours carries a label with the hash of what it was built from, so that a change of code builds it again.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import tarfile
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from stack.compose import Build, Service
from stack.docker_engine import DockerError, reason_of

SOURCE_LABEL = "dev.firedrill.source"
Say = Callable[[str], None]
_ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


class ImageMissing(DockerError):  # noqa: N818 - reads as a fact where it is raised
    """An image is not on the engine and cannot be pulled."""

    def __init__(self, image: str, component: str, reason: str) -> None:
        self.image = image
        super().__init__(
            f"{component} needs the image {image}, which cannot be pulled ({reason}); load it by `docker load`, "
            f"leave the component out by `--without {component}`, or use `--runtime native`"
        )


class BuildFailed(DockerError):  # noqa: N818 - as above
    """Our own image could not be built."""

    def __init__(self, image: str, reason: str, log: tuple[str, ...]) -> None:
        self.image, self.log = image, log
        said = "\n    ".join(log)
        super().__init__(
            f"the image {image} could not be built: {reason}\n  the last lines of the build:\n    {said}\n"
            f"  try `docker compose build` for the whole of it, or use `--runtime native`"
        )


def ensure_images(client: Any, services: Mapping[str, Service], folder: Path, say: Say) -> None:
    """Build or pull what ``services`` run; raise ``BuildFailed``, ``ImageMissing``. ``folder`` has the Compose file."""
    done: set[str] = set()
    for name, service in services.items():
        if service.image in done:
            continue
        done.add(service.image)
        if service.build is not None:
            _build_own(client, service.image, service.build, folder, say)
        elif not has_image(client, service.image):
            say(f"pulling {service.image}")
            _pull(client, service.image, name)


def has_image(client: Any, image: str) -> bool:
    """Return whether the engine has ``image``."""
    return bool(client.images.list(name=image))


def _pull(client: Any, image: str, component: str) -> None:
    import docker  # noqa: PLC0415 - loads where it is used

    try:
        client.images.pull(image)
    except (docker.errors.DockerException, OSError) as error:
        raise ImageMissing(image, component, reason_of(error)) from error


def _build_own(client: Any, image: str, build: Build, folder: Path, say: Say) -> None:
    """Build one of our images where there is none of these very sources."""
    context = (folder / build.context).resolve()
    files = sorted(context_files(context))
    digest = hashlib.sha256(repr((build.target, sorted(build.args.items()))).encode())
    for file in files:
        digest.update(file.relative_to(context).as_posix().encode() + b"\0" + file.read_bytes())
    source = digest.hexdigest()[:16]
    present = client.images.list(name=image, filters={"label": f"{SOURCE_LABEL}={source}"})
    if not present:
        say(f"building {image} (some minutes the first time)")
        build_image(
            client, image, context, target=build.target, arguments=build.args, labels={SOURCE_LABEL: source}, say=say
        )


def build_image(
    client: Any,
    image: str,
    context: Path,
    *,
    dockerfile: str = "Dockerfile",
    target: str | None = None,
    arguments: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    say: Say | None = None,
) -> None:
    """Build ``image`` from the folder ``context``, telling of each of its steps; raise ``BuildFailed``."""
    import docker  # noqa: PLC0415 - loads where it is used

    spoken: list[str] = []
    try:
        with _packed(context) as archive:
            lines = client.api.build(
                fileobj=archive,
                custom_context=True,
                encoding=None,
                dockerfile=dockerfile,
                tag=image,
                target=target or "",
                buildargs=dict(arguments or {}),
                labels=dict(labels or {}),
                rm=True,
                forcerm=True,
                decode=True,
            )
            for line in lines:
                text = _ESCAPE.sub("", str(line.get("stream", ""))).rstrip()
                spoken += [part for part in text.splitlines() if part.strip()]
                if "error" in line:
                    raise BuildFailed(image, " ".join(str(line["error"]).split()), tuple(spoken[-15:]))
                if say is not None and text.startswith("Step "):
                    say(text)
    except (docker.errors.DockerException, OSError) as error:
        raise BuildFailed(image, reason_of(error), tuple(spoken[-15:])) from error


def _packed(context: Path) -> io.BufferedIOBase:
    """Return a tar of what .dockerignore lets through, with no times or owners: the same files are the same bytes."""
    import tempfile  # noqa: PLC0415 - only a build needs it

    stream = tempfile.TemporaryFile()  # noqa: SIM115 - handed to the caller, who closes it
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for file in sorted(context_files(context)):
            archive.add(file, file.relative_to(context).as_posix(), recursive=False, filter=_plain)
    stream.seek(0)
    return stream


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.mtime, member.uid, member.gid, member.uname, member.gname = 0, 0, 0, "", ""
    return member


def context_files(context: Path) -> Iterable[Path]:
    """Yield the files that a build sees: those that .dockerignore lets through, and the Dockerfile itself."""
    ignore = context / ".dockerignore"
    rules = [
        line.strip()
        for line in (ignore.read_text(encoding="utf-8").splitlines() if ignore.is_file() else [])
        if line.strip() and not line.startswith("#")
    ]
    for folder, below, names in os.walk(context):
        place = Path(folder)
        linked = [name for name in below if (place / name).is_symlink()]
        for file in (place / name for name in (*names, *linked)):
            name = file.relative_to(context).as_posix()
            if name == "Dockerfile" or not _ignored(name, rules):
                yield file
        below[:] = [name for name in below if not _closed((place / name).relative_to(context).as_posix(), rules)]


def _closed(folder: str, rules: list[str]) -> bool:
    """Return whether all of a folder is ignored, however much is in it: no rule brings back a part."""
    return _ignored(folder, rules) and not any(
        rule.startswith(f"!{folder}/") or (rule.startswith("!") and "*" in rule) for rule in rules
    )


def _ignored(name: str, rules: list[str]) -> bool:
    """Judge as Docker does: the last rule that matches the path or a folder above it wins."""
    parts = name.split("/")
    above = ["/".join(parts[: depth + 1]) for depth in range(len(parts))]
    ignored = False
    for rule in rules:
        pattern = rule.removeprefix("!").strip("/")
        anywhere = pattern.removeprefix("**/")
        names = parts if anywhere != pattern else above
        if any(fnmatch(candidate, anywhere) for candidate in names):
            ignored = not rule.startswith("!")
    return ignored
