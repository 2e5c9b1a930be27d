"""Makes blocks of Prometheus's storage out of samples, by promtool. Nothing is put where Prometheus looks."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stack.provision import find_program
from stack.rules.errors import PromtoolRefused

TIMEOUT_S = 120.0
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


@dataclass(frozen=True)
class PastSeries:
    """One series: its labels with ``__name__``, and its samples as (Unix second, value), oldest first."""

    labels: Mapping[str, str]
    points: Sequence[tuple[float, float]]


def selector(labels: Mapping[str, str]) -> str:
    """Return the selector of exactly ``labels``, among them ``__name__``; an empty value stands for no such label."""
    rest = ",".join(f'{name}="{_escaped(value)}"' for name, value in sorted(labels.items()) if name != "__name__")
    return f"{labels['__name__']}{{{rest}}}"


def make_blocks(series: Iterable[PastSeries], folder: Path) -> tuple[Path, ...]:
    """Return the blocks of ``series``, made in ``folder``, which must be empty; raise ``PromtoolRefused``.

    Series of one name have to stand together. Raises ``ProgramsMissing`` where there is no promtool.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = folder / "samples.om"
    with text.open("w", encoding="utf-8") as lines:
        lines.writelines(_exposition(series))
    made = folder / "blocks"
    argv = [str(find_program("promtool")), "tsdb", "create-blocks-from", "openmetrics", "--quiet", str(text), str(made)]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        raise PromtoolRefused("create-blocks-from", [text], f"it did not end within {TIMEOUT_S:.0f} s") from None
    if done.returncode != 0:
        raise PromtoolRefused("create-blocks-from", [text], done.stdout + done.stderr)
    return tuple(sorted(path.parent for path in made.glob("*/meta.json")))


def _exposition(series: Iterable[PastSeries]) -> Iterator[str]:
    """Yield ``series`` as OpenMetrics; without a type every name may stand as it is."""
    for one in series:
        text = selector(one.labels)
        for at, value in one.points:
            yield f"{text} {value!r} {at:.3f}\n"
    yield "# EOF\n"


def _escaped(value: str) -> str:
    return value.translate(_ESCAPES)
