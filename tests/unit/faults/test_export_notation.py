"""What is written in promtool's notation reads as the same samples, by a model of the notation and by promtool."""

from __future__ import annotations

import math
import random
import re
import struct
from collections.abc import Sequence
from pathlib import Path

import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from faults.drills.export.notation import STALE, Marker, Slot, compress
from stack.rules import promtool

NUMBER = r"(?:[0-9.]+(?:e[+-]?[0-9]+)?|Inf|NaN)"
RUN = re.compile(rf"(?P<first>-?{NUMBER})(?P<step>[+-]{NUMBER})?x(?P<times>[0-9]+)")
STEP_S = 15
floats = st.one_of(
    st.floats(allow_subnormal=True, width=64),
    st.integers(-1000, 10**16).map(float),
    st.sampled_from([0.0, -0.0, 0.1, 1e15, 1e16, 1e-5, 5e-324, 1.7976931348623157e308]),
)
runs = st.builds(
    lambda first, step, count: [first + step * index for index in range(count)],
    st.integers(-50, 50).map(float),
    st.sampled_from([0.0, 1.0, -2.0, 0.5, 0.1, 3e7]),
    st.integers(1, 12),
)
slot_lists = st.lists(
    st.one_of(runs, floats.map(lambda one: [one]), st.just([STALE]), st.integers(1, 4).map(lambda many: [None] * many))
).map(lambda parts: [slot for part in parts for slot in part])


def expanded(text: str) -> list[Slot]:
    """Return what promtool 2.42 makes of ``text``: each sample of a run is the sum of the one before and the step."""
    slots: list[Slot] = []
    for word in text.split():
        run = RUN.fullmatch(word)
        if word == "stale":
            slots.append(STALE)
        elif word.startswith("_"):
            slots += [None] * int(word.removeprefix("_x") if word != "_" else 1)
        elif run is not None:
            total, step = float(run["first"]), float(run["step"] or 0)
            for _ in range(int(run["times"]) + 1):
                slots.append(total)
                total += step
        else:
            slots.append(float(word))
    return slots


def bits(slots: Sequence[Slot]) -> list[object]:
    """Return ``slots`` such that they can be compared: all NaN are one, 0 and -0 are two."""
    return ["NaN" if one != one else struct.pack("<d", one) if isinstance(one, float) else one for one in slots]  # noqa: PLR0124


def without_end(slots: Sequence[Slot]) -> list[Slot]:
    """Return ``slots`` without the gaps at the end, which say nothing."""
    kept = list(slots)
    while kept and kept[-1] is None:
        kept.pop()
    return kept


@given(slot_lists)
@example([0.1 + 0.1 * index for index in range(9)])
@example([1e308, 0.0, -1e308, 1e308])
@example([math.inf, math.inf, math.inf, -math.inf, math.nan, math.nan, math.nan])
@example([-0.0, -0.0, -0.0, 0.0, 0.0, 0.0])
def test_reads_back_as_the_same_samples_bit_for_bit(slots: list[Slot]) -> None:
    """Whatever is written, runs, gaps and markers, is read as the samples that were given."""
    assert bits(expanded(compress(slots))) == bits(without_end(slots))


def test_writes_runs_short() -> None:
    """A counter that rises evenly, one that stands still and a gap take one word each."""
    rising, still = [10.0 * index for index in range(21)], [7.0] * 100
    assert compress([*rising, *still, None, None, None, STALE]) == "0+10x20 7x99 _x3 stale"
    assert compress([5.0, 3.0, 1.0, -1.0]) == "5-2x3"
    assert compress([None, 1.0, 2.0, None]) == "_ 1 2"
    assert compress([]) == compress([None, None]) == ""


def test_promtool_reads_the_same(tmp_path: Path) -> None:
    """The real promtool finds each sample, each gap and each stale marker where it was put, in forty series."""
    dice = random.Random(7)
    series = [_drawn(dice) for _ in range(40)]
    length = max(map(len, series))
    tests = [case for step in range(length) for case in _cases(series, step)]
    document = {
        "evaluation_interval": f"{STEP_S}s",
        "tests": [
            {
                "interval": f"{STEP_S}s",
                "input_series": [
                    {"series": f's{{i="{index}"}}', "values": compress(slots)} for index, slots in enumerate(series)
                ],
                "promql_expr_test": tests,
            }
        ],
    }
    path = tmp_path / "notation.test.yml"
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    assert len(tests) > 100
    assert "SUCCESS" in promtool.test(path)


def _drawn(dice: random.Random) -> list[Slot]:
    slots: list[Slot] = [float(dice.randrange(100))]
    while len(slots) < 40:
        match dice.randrange(6):
            case 0:
                slots += [None] * dice.randrange(1, 4)
            case 1:
                slots.append(STALE)
            case 2:
                slots.append(dice.choice([math.nan, math.inf, -math.inf, 1e-7, 1.5e300, -0.25, 12345678901234567.0]))
            case 3:
                slots += [dice.uniform(-1e6, 1e6) for _ in range(dice.randrange(1, 5))]
            case _:
                first, step = float(dice.randrange(-9, 99)), dice.choice([0.0, 1.0, -3.0, 0.5, 0.1])
                slots += [first + step * index for index in range(dice.randrange(1, 9))]
    return slots


def _cases(series: Sequence[Sequence[Slot]], step: int) -> list[dict[str, object]]:
    """Return what has to be found at ``step``: the numbers, which of them are NaN, and which series are there."""
    here = {index: slots[step] for index, slots in enumerate(series) if step < len(slots)}
    numbers = {index: slot for index, slot in here.items() if isinstance(slot, float)}
    there = {}
    for index, slots in enumerate(series):
        last = next((slot for slot in reversed(slots[: step + 1]) if slot is not None), None)
        if last is not None and not isinstance(last, Marker) and _fresh(slots, step):
            there[index] = 1.0
    now = "last_over_time(s[1ms])"
    wanted = {
        f"max by (i) ({now} == {now})": {index: value for index, value in numbers.items() if not math.isnan(value)},
        f"{now} != bool {now}": {index: float(math.isnan(value)) for index, value in numbers.items()},
        "count by (i) (s)": there,
    }
    return [
        {
            "expr": expr,
            "eval_time": f"{step * STEP_S}s",
            "exp_samples": [{"labels": f'{{i="{index}"}}', "value": value} for index, value in samples.items()],
        }
        for expr, samples in wanted.items()
    ]


def _fresh(slots: Sequence[Slot], step: int) -> bool:
    """Return whether the last sample at ``step`` is not older than the look-back of five minutes."""
    return any(slot is not None for slot in slots[max(0, step - 300 // STEP_S) : step + 1])
