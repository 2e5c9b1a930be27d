"""``python -m faults.drills.virtual.recorder``: records ``timings.json`` anew, from a real service on this machine.

It takes about two minutes on a machine that does nothing else, and needs nothing but trained models.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from faults.drills.virtual.timings import FILE, HANDLE, TRANSFER, Contended, ProcessFacts, Quantiles, Timings
from faults.traffic.inputs import ModelInputs, make_inputs, read_model_info
from faults.traffic.pool import HttpPool
from faults.traffic.transport import Request
from service import compute as kinds
from service.settings import Settings
from stack.home import Home

LEVELS = 101
CALM, IDLE, SCRAPED = "calm", "idle", "scraped"
BURNS = {"interpreter": 8}
"""Threads that burn for what. Those that let the interpreter's lock go cost others little that would be repeatable."""
Span = tuple[float, float]


class Subject:
    """A service in a process of its own, and the phases that it is led through."""

    def __init__(self, models: Sequence[str], artifacts: Path, notes: Path) -> None:
        began = time.perf_counter()
        self._notes = notes
        self._process = subprocess.Popen(
            [sys.executable, "-m", "faults.drills.virtual.subject", ",".join(models), str(artifacts), str(notes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.url = f"http://127.0.0.1:{int(self._said())}"
        self.starts_in_s = time.perf_counter() - began

    def _said(self) -> str:
        if self._process.stdout is None or not (line := self._process.stdout.readline()):
            raise SystemExit("the service that was to be measured ended; what it said stands above")
        return line

    def enter(self, phase: str) -> None:
        """Let a phase begin; return when it has."""
        self._tell(phase)
        self._said()

    def _tell(self, word: str) -> None:
        if self._process.stdin is not None:
            self._process.stdin.write(f"{word}\n")
            self._process.stdin.flush()

    def end(self) -> dict[str, Any]:
        """End it and return its notes."""
        self._tell("end")
        self._process.wait(timeout=30.0)
        notes: dict[str, Any] = json.loads(self._notes.read_text(encoding="utf-8"))
        return notes

    def kill(self) -> None:
        """End it whatever it does."""
        self._process.kill()
        self._process.wait()


async def _send(url: str, inputs: Mapping[str, ModelInputs], *, rate: float, count: int) -> dict[str, float]:
    """Send ``count`` requests as a Poisson stream; return the seconds that each took by its id."""
    pool, rng = HttpPool(url), random.Random(7)
    took: dict[str, float] = {}

    async def send(number: int) -> None:
        name = rng.choice(list(inputs))
        made = inputs[name]
        request = Request(name, f"/predict/{name}", rng.choice(made.usual), f"measured-{number}", made.content_type)
        began = time.perf_counter()
        if await pool.send(request) == 200:
            took[request.id] = time.perf_counter() - began

    tasks = []
    for number in range(count):
        tasks.append(asyncio.create_task(send(number)))
        await asyncio.sleep(rng.expovariate(rate))
    await asyncio.gather(*tasks)
    await pool.close()
    return took


async def _inputs(url: str) -> dict[str, ModelInputs]:
    pool = HttpPool(url)
    info = read_model_info((await pool.get("/model-info")).body, url)
    await pool.close()
    made = {model.name: make_inputs(model, random.Random(3)) for model in info.models}
    return {name: inputs for name, inputs in made.items() if inputs is not None}


async def _scrape(url: str, count: int) -> None:
    pool = HttpPool(url)
    for _ in range(count):
        await pool.get("/metrics")
        await asyncio.sleep(0.05)
    await pool.close()


def _quantiles(seconds: Sequence[float]) -> Quantiles:
    found = np.quantile(np.array(seconds), np.linspace(0.0, 1.0, LEVELS))
    return Quantiles(count=len(seconds), seconds=tuple(round(max(0.0, float(one)), 7) for one in found))


def _handling(requests: Mapping[str, Span], predictions: Sequence[Span]) -> list[float]:
    """Return what each request took beside the one prediction that was made within it."""
    found = []
    for began, ended in requests.values():
        within = [span for span in predictions if began <= span[0] and span[1] <= ended]
        if len(within) == 1:
            found.append(ended - began - (within[0][1] - within[0][0]))
    return found


def _lasting(spans: Sequence[Span]) -> list[float]:
    return [ended - began for began, ended in spans]


def measure(
    artifacts: Path, folder: Path, *, scale: float = 1.0, remark: str = "", tell: Callable[[str], None]
) -> Timings:
    """Return timings of a real service with the models of ``artifacts``; ``scale`` shortens every phase."""
    models = Settings.model_fields["models"].default
    tell(f"a service with {', '.join(models)}")
    subject = Subject(models, artifacts, folder / "notes.json")
    sent: dict[str, dict[str, float]] = {}
    try:
        inputs = asyncio.run(_inputs(subject.url))
        asyncio.run(_send(subject.url, inputs, rate=30.0, count=60))  # so that nothing is loaded later
        subject.enter(IDLE)
        time.sleep(5.0 * scale)
        burning = [(f"{what} {number}", 0.7, 24) for what, number in BURNS.items()]
        for phase, rate, count in ((CALM, 15.0, 450), *burning):
            tell(phase)
            subject.enter(phase)
            sent[phase] = asyncio.run(_send(subject.url, inputs, rate=rate, count=int(count * scale)))
        tell("scrapes and loads")
        subject.enter(SCRAPED)
        asyncio.run(_scrape(subject.url, int(150 * scale)))
        subject.enter(kinds.LOAD)
        notes = subject.end()
    except BaseException:
        subject.kill()
        raise
    tell("pictures")
    timings = _timings(notes, sent, _decoding(artifacts, folder, scale), subject.starts_in_s)
    origin = {**timings.origin, **({"remark": remark} if remark else {})}
    return timings.model_copy(update={"origin": origin})


def _decoding(artifacts: Path, folder: Path, scale: float) -> list[float]:
    """Return how long pictures take to be decoded by a service of digits."""
    subject = Subject(["digits"], artifacts, folder / "pictures.json")
    try:
        inputs = asyncio.run(_inputs(subject.url))
        asyncio.run(_send(subject.url, inputs, rate=30.0, count=30))
        subject.enter(CALM)
        asyncio.run(_send(subject.url, inputs, rate=20.0, count=int(200 * scale)))
        return _lasting(subject.end()["compute"][CALM][kinds.DECODE])
    except BaseException:
        subject.kill()
        raise


def _timings(
    notes: Mapping[str, Any], sent: Mapping[str, Mapping[str, float]], decoding: Sequence[float], starts_in_s: float
) -> Timings:
    compute, requests = notes["compute"], notes["requests"]

    def handling(phase: str) -> list[float]:
        return _handling(requests[phase], compute[phase][kinds.PREDICT])

    calm = requests[CALM]
    transfer = [took - (calm[name][1] - calm[name][0]) for name, took in sent[CALM].items() if name in calm]
    idle = notes["cpu_s"][IDLE] / notes["lasted_s"][IDLE]
    busy_s = notes["cpu_s"][CALM] - idle * notes["lasted_s"][CALM]
    return Timings(
        origin={
            "recorded_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "by": "python -m faults.drills.virtual.recorder",
            "of": "the service with its default models on uvicorn, Poisson arrivals, one caller on the same machine",
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
            "python": platform.python_version(),
            "requests": str(len(sent[CALM])),
        },
        times={
            kinds.PREDICT: _quantiles(_lasting(compute[CALM][kinds.PREDICT])),
            kinds.DECODE: _quantiles(decoding),
            kinds.LOAD: _quantiles(_lasting(compute[kinds.LOAD][kinds.LOAD])),
            kinds.RENDER: _quantiles(_lasting(compute[SCRAPED][kinds.RENDER])),
            HANDLE: _quantiles(handling(CALM)),
            TRANSFER: _quantiles(transfer),
        },
        contended={
            what: Contended(
                threads=number,
                times={
                    kinds.PREDICT: _quantiles(_lasting(compute[f"{what} {number}"][kinds.PREDICT])),
                    HANDLE: _quantiles(handling(f"{what} {number}")),
                },
            )
            for what, number in BURNS.items()
        },
        process=ProcessFacts(
            starts_in_s=round(starts_in_s, 3),
            cpu_start_s=round(notes["cpu_s"]["start"], 3),
            cpu_idle=round(idle, 5),
            cpu_request_s=round(max(0.0, busy_s) / len(calm), 6),
            cores=os.cpu_count() or 1,
            **notes["process"],
        ),
    )


def main(arguments: Sequence[str]) -> int:
    """Record and write the file; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m faults.drills.virtual.recorder", description=__doc__)
    parser.add_argument("--artifacts", type=Path, default=Home.from_environment().artifacts, help="trained models")
    parser.add_argument("--out", type=Path, default=FILE, help="the file to write")
    parser.add_argument("--remark", default="", help="what else is to be said of the recording")
    options = parser.parse_args(arguments)

    def tell(sentence: str) -> None:
        sys.stderr.write(f"measuring: {sentence}\n")

    with tempfile.TemporaryDirectory() as folder:
        timings = measure(options.artifacts, Path(folder), remark=options.remark, tell=tell)
    options.out.write_text(timings.model_dump_json(indent=1) + "\n", encoding="utf-8")
    sys.stderr.write(f"written to {options.out}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
