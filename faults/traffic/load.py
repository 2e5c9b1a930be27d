"""A load test from the command line: an open-loop schedule for a while, then a summary.

Latency runs from each request's intended start, so a service that stalls cannot slow its own measurement down.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import random
import signal
import sys
import time
from collections.abc import Sequence

from pydantic import BaseModel, Field, ValidationError

from faults.drills.wire import TrafficSettings
from faults.traffic.errors import BadTrafficSettings, BadTrafficStart, TrafficError, problems
from faults.traffic.feed import Feed
from faults.traffic.generator import MAX_IN_FLIGHT, TIMEOUT_S, Generator
from faults.traffic.loop import run
from faults.traffic.meter import DROPPED, ERROR
from faults.traffic.pool import HttpPool
from stack.errors import StackError
from stack.home import endpoints_from_environment
from stack.rules.durations import parse_duration

LATE_NOTE = 0.01


class LoadPlan(BaseModel):
    """What a load test sends, and where to."""

    url: str
    settings: TrafficSettings
    duration_s: float = Field(gt=0.0, allow_inf_nan=False)
    seed: int = Field(ge=0)
    timeout_s: float = Field(default=TIMEOUT_S, gt=0.0)
    max_in_flight: int = Field(default=MAX_IN_FLIGHT, gt=0)


class LoadReport(BaseModel):
    """What became of it. Latencies in seconds from the intended start."""

    url: str
    settings: TrafficSettings
    seed: int
    duration_s: float = Field(description="How long requests were scheduled.")
    scheduled: int
    sent: int
    rate: float = Field(description="Requests sent per second of the schedule.")
    statuses: dict[str, int]
    latency_s: dict[str, float]
    late_share: float


async def run_load(plan: LoadPlan) -> LoadReport:
    """Send ``plan`` and wait for the last answer; raise ``TrafficError`` if it cannot start.

    SIGINT ends the schedule early, and the report then covers what was sent; a second one gives up.
    """
    loop = asyncio.get_running_loop()
    pool = HttpPool(plan.url)
    rng = random.Random(plan.seed)
    generator = Generator(
        pool,
        TrafficSettings(rate=0.0),
        rng=rng,
        wall=time.time,
        timeout_s=plan.timeout_s,
        max_in_flight=plan.max_in_flight,
    )
    feed = Feed(generator, pool.get, url=pool.url, rng=rng)
    try:
        await feed.fetch()
        await feed.check(plan.settings)
        generator.start(plan.settings, lasting_s=plan.duration_s)
        if not generator.ready:
            raise BadTrafficSettings([f"models: the service has no inputs for {', '.join(plan.settings.models)}"])
        began = ended = loop.time()

        def interrupt() -> None:
            nonlocal ended
            ended = loop.time()
            generator.pause()
            loop.remove_signal_handler(signal.SIGINT)

        loop.add_signal_handler(signal.SIGINT, interrupt)
        await generator.finish()
        took_s = ended - began if ended > began else plan.duration_s
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        await generator.stop()
        await pool.close()
    meter = generator.meter
    statuses = meter.statuses()
    return LoadReport(
        url=pool.url,
        settings=plan.settings,
        seed=plan.seed,
        duration_s=took_s,
        scheduled=meter.sent + statuses.get(DROPPED, 0),
        sent=meter.sent,
        rate=meter.sent / took_s,
        statuses=statuses,
        latency_s=meter.quantiles(),
        late_share=meter.late_share,
    )


def summary(report: LoadReport) -> str:
    """Return the report as text for a terminal."""
    latency = "  ".join(f"{name} {_duration(seconds)}" for name, seconds in report.latency_s.items())
    pace = f"in {report.duration_s:.1f} s ({report.rate:.1f}/s, seed {report.seed})"
    lines = [
        f"sent       {report.sent} of {report.scheduled} scheduled {pace}",
        "answers    " + ("  ".join(f"{status}: {count}" for status, count in report.statuses.items()) or "none"),
        f"latency    {latency or 'nothing was answered'}  (from the intended start)",
        f"late       {report.late_share:.2%} of the requests started more than 5 ms after their time",
    ]
    if DROPPED in report.statuses:
        lines.append("note       dropped requests have no latency: the true quantiles are higher (see --max-in-flight)")
    if report.late_share > LATE_NOTE:
        lines.append("note       this machine could not keep the schedule: part of the latency is the generator's own")
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """Run a load test from the command line; return 0, 1 where no request was answered, 2 for bad arguments."""
    given = _parser().parse_args(arguments)
    try:
        plan = _plan(given)
        rate, url = plan.settings.rate, plan.url
        sys.stderr.write(f"sending {rate:g} requests/s to {url} for {given.duration} (seed {plan.seed})\n")
        gc.collect()
        gc.freeze()  # later collections then start no request late
        report = run(run_load(plan))
    except TrafficError as error:
        sys.stderr.write(f"load: {error}\n")
        return 2 if isinstance(error, (BadTrafficSettings, BadTrafficStart)) else 1
    except KeyboardInterrupt:
        return 130
    sys.stdout.write((report.model_dump_json(indent=2) if given.json else summary(report)) + "\n")
    return 0 if set(report.statuses) - {ERROR, DROPPED} else 1


def _plan(given: argparse.Namespace) -> LoadPlan:
    """Check the arguments; raise ``BadTrafficStart`` or ``BadTrafficSettings``."""
    try:
        duration_s = parse_duration(given.duration)
    except (ValueError, StackError):
        raise BadTrafficStart("--for", given.duration, "a duration such as 30s or 2m") from None
    try:
        return LoadPlan(
            url=given.url,
            settings=TrafficSettings(rate=given.rate, models=_weights(given.model), ood_share=given.ood_share),
            duration_s=duration_s,
            seed=random.SystemRandom().getrandbits(32) if given.seed is None else given.seed,
            timeout_s=given.timeout,
            max_in_flight=given.max_in_flight,
        )
    except ValidationError as error:
        raise BadTrafficSettings(problems(error)) from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="firedrill load",
        description="Open-loop load test: Poisson arrivals, latency free of coordinated omission.",
    )
    parser.add_argument("--url", default=endpoints_from_environment().url("service"), help="base URL of the service")
    parser.add_argument("--rate", type=float, default=50.0, help="mean requests per second (default 50)")
    parser.add_argument("--for", dest="duration", default="10s", help="how long, such as 30s or 2m (default 10s)")
    parser.add_argument("--model", action="append", help="NAME or NAME=WEIGHT; may be repeated (default iris)")
    parser.add_argument("--ood-share", type=float, default=0.0, help="share of out-of-distribution inputs, 0 to 1")
    parser.add_argument("--seed", type=int, help="repeat the schedule and the inputs of an earlier run")
    parser.add_argument("--timeout", type=float, default=TIMEOUT_S, help="seconds to wait for an answer (default 30)")
    parser.add_argument("--max-in-flight", type=int, default=MAX_IN_FLIGHT, help="bound of open requests (default 500)")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    return parser


def _weights(models: Sequence[str] | None) -> dict[str, float]:
    """Parse ``NAME`` and ``NAME=WEIGHT``; raise ``BadTrafficStart``."""
    weights: dict[str, float] = {}
    for model in models or ["iris"]:
        name, _, weight = model.partition("=")
        try:
            weights[name] = float(weight or 1.0)
        except ValueError:
            raise BadTrafficStart("--model", model, "NAME or NAME=WEIGHT with a number as weight") from None
    return weights


def _duration(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds >= 1.0 else f"{seconds * 1000.0:.3g} ms"
