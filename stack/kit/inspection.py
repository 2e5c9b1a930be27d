"""Is a bundle whole, and for this machine? Standard library alone: it runs before anything is installed.

``python inspection.py DIR`` prints what is wrong and exits with 2, or says nothing. It never changes a file.
"""

from __future__ import annotations

import hashlib
import json
import platform
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

MANIFEST = "manifest.json"
FORMAT = 1
SHOWN = 5
"""So many damaged files are named."""


def this_platform() -> str:
    """Return this machine as a bundle names it, such as ``linux-x86_64``."""
    libc = "-musl" if "musl" in str(sysconfig.get_config_var("SOABI")) else ""
    return f"{platform.system().lower()}-{platform.machine().lower()}{libc}"


def this_python() -> str:
    """Return this Python as a bundle names it, such as ``3.12``."""
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


def problems(folder: Path) -> Sequence[str]:
    """Return in words why the bundle in ``folder`` cannot be used here; nothing where it can."""
    file = folder / MANIFEST
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return [f"{folder} is no complete bundle: it has no {MANIFEST}. Make one by `firedrill bundle --out DIR`"]
    except (OSError, ValueError) as error:
        return [f"{file} cannot be read ({error}): copy the bundle once more"]
    if manifest.get("format") != FORMAT:
        return [f"{folder} is a bundle of another format ({manifest.get('format')}): make it again with this Firedrill"]
    made_for, here = (manifest["platform"], manifest["python"]), (this_platform(), this_python())
    if made_for[0] != here[0]:
        return [f"this bundle was made for {made_for[0]} and this machine is {here[0]}: make one on such a machine"]
    if made_for[1] != here[1]:
        found = f"this is Python {here[1]} ({sys.executable})"
        return [
            f"this bundle was made for Python {made_for[1]} and {found}: install that, or name it in FIREDRILL_PYTHON"
        ]
    return _damage(folder, manifest["files"])


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _damage(folder: Path, files: dict[str, dict[str, object]]) -> Sequence[str]:
    missing = [name for name in files if not (folder / name).is_file()]
    sizes = {name: (folder / name).stat().st_size for name in files if name not in missing}
    changed = [name for name, size in sizes.items() if size != files[name]["bytes"]]
    changed += [name for name in sizes if name not in changed and sha256_of(folder / name) != files[name]["sha256"]]
    said = [
        f"{len(names)} of its {len(files)} files {what}: {', '.join(sorted(names)[:SHOWN])}"
        + (" and more" if len(names) > SHOWN else "")
        for names, what in ((missing, "are missing"), (changed, "are damaged"))
        if names
    ]
    return [f"{each}. Copy the bundle once more" for each in said]


def main(arguments: Sequence[str]) -> int:
    """Inspect the bundle in the one folder that is named."""
    found = problems(Path(arguments[0]))
    for problem in found:
        print(f"firedrill: {problem}", file=sys.stderr)  # noqa: T201 - a program before anything is installed
    return 2 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
