"""The load test from the command line, against real servers."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable

import pytest
from tiny_service import Behaviour, TinyService, answer, answer_at_once

from faults.drills.wire import TrafficSettings
from faults.traffic import load
from faults.traffic.errors import BadTrafficSettings
from faults.traffic.load import LoadPlan, LoadReport, run_load

IRIS = TrafficSettings(rate=100.0, models={"iris": 1.0})


def plan(service: TinyService, settings: TrafficSettings = IRIS, duration_s: float = 1.0, seed: int = 3) -> LoadPlan:
    """Return a short plan against ``service``."""
    return LoadPlan(url=service.url, settings=settings, duration_s=duration_s, seed=seed)


def loaded(run: Callable[[TinyService], Awaitable[LoadReport]], behaviour: Behaviour = answer_at_once) -> LoadReport:
    """Return the report of a load test against a real server."""

    async def main() -> LoadReport:
        async with TinyService(behaviour) as service:
            return await run(service)

    return asyncio.run(main())


def test_a_seed_repeats_the_requests() -> None:
    """Two runs with one seed schedule and send the same bodies in the same order."""
    bodies: list[list[bytes]] = []

    async def run(service: TinyService) -> LoadReport:
        report = await run_load(plan(service, IRIS.model_copy(update={"ood_share": 0.4}), duration_s=0.5))
        bodies.append([seen.body for seen in service.seen])
        return report

    first, second = loaded(run), loaded(run)
    assert first.sent == second.sent == first.scheduled > 20
    assert sorted(bodies[0]) == sorted(bodies[1])


def test_a_stall_is_in_the_quantiles() -> None:
    """Half a second of silence in two seconds of load cannot hide from p95, though few answers were outstanding."""

    async def run(service: TinyService) -> LoadReport:
        async def stall() -> None:
            await asyncio.sleep(0.7)
            service.running.clear()
            await asyncio.sleep(0.5)
            service.running.set()

        stalling = asyncio.create_task(stall())
        report = await run_load(plan(service, duration_s=2.0))
        await stalling
        return report

    report = loaded(run)
    assert report.statuses == {"200": report.scheduled}
    assert report.latency_s["p95"] > 0.2
    assert report.latency_s["max"] == pytest.approx(0.5, abs=0.15)
    assert report.latency_s["p50"] < 0.1


def test_a_mix_that_is_not_served_is_refused() -> None:
    """An unknown model stops the test before it begins."""
    with pytest.raises(BadTrafficSettings, match=r"models\.resnet: unknown model; the service serves iris, churn"):
        loaded(lambda service: run_load(plan(service, TrafficSettings(models={"resnet": 1.0}))))


def command(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end."""
    return subprocess.run(
        [sys.executable, "-m", "faults.traffic", "load", "--url", url, *arguments],
        capture_output=True,
        text=True,
        timeout=30.0,
        check=False,
    )


def test_the_command_prints_a_summary_or_json() -> None:
    """Exit code 0, statuses as they came, quantiles named, and the same as JSON."""

    def failing_for_churn(seen: object, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(status=500 if "churn" in str(seen) else 200))

    async def main() -> tuple[subprocess.CompletedProcess[str], subprocess.CompletedProcess[str]]:
        async with TinyService(failing_for_churn) as service:
            common = ("--rate", "80", "--for", "1s", "--seed", "4", "--model", "iris=3", "--model", "churn")
            text = await asyncio.to_thread(command, service.url, *common)
            return text, await asyncio.to_thread(command, service.url, *common, "--json")

    text, as_json = asyncio.run(main())
    report = LoadReport.model_validate(json.loads(as_json.stdout))
    assert (text.returncode, as_json.returncode) == (0, 0)
    assert report.settings.models == {"iris": 3.0, "churn": 1.0}
    assert report.sent == report.scheduled == sum(report.statuses.values())
    assert set(report.statuses) == {"200", "500"}
    assert f"sent       {report.sent} of {report.scheduled} scheduled in 1.0 s" in text.stdout
    assert f"200: {report.statuses['200']}  500: {report.statuses['500']}" in text.stdout
    assert all(word in text.stdout for word in ("p50", "p95", "p99", "max"))
    assert "seed 4" in text.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--for", "soon"), 2, "--for is 'soon'; expected a duration such as 30s or 2m"),
        (("--for", "0s"), 2, "duration_s: Input should be greater than 0"),
        (("--rate", "-1"), 2, "rate: Input should be greater than or equal to 0"),
        (("--model", "iris=x"), 2, "--model is 'iris=x'; expected NAME or NAME=WEIGHT"),
        (("--url", "https://localhost:1"), 2, "expected http://host:port"),
        (("--for", "1s"), 1, "nothing accepts connections at 127.0.0.1:1 (Connection refused)"),
    ],
)
def test_what_cannot_run_says_why(arguments: tuple[str, ...], code: int, message: str) -> None:
    """Bad arguments exit with 2, a service that is not there with 1, without a traceback."""
    done = command("http://127.0.0.1:1", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_no_answer_at_all_is_exit_code_1() -> None:
    """A service that describes its models and then breaks every request off has failed the test."""

    async def main() -> subprocess.CompletedProcess[str]:
        async with TinyService(lambda _seen, writer: writer.transport.abort()) as service:
            return await asyncio.to_thread(command, service.url, "--for", "300ms")

    done = asyncio.run(main())
    assert done.returncode == 1
    assert "error: " in done.stdout


def test_an_interrupt_ends_early_with_the_summary_so_far() -> None:
    """Ctrl-C after half a second of a minute's load still reports what was sent."""

    async def main() -> tuple[int, LoadReport, float]:
        async with TinyService() as service:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "faults.traffic", "load", "--url", service.url, "--for", "1m", "--json"),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
            async with asyncio.timeout(20.0):
                while len(service.seen) < 20:  # noqa: ASYNC110 - the server counts, it sends no event
                    await asyncio.sleep(0.02)
                os.kill(process.pid, signal.SIGINT)
                began = time.monotonic()
                output, _ = await process.communicate()
            return process.returncode or 0, LoadReport.model_validate_json(output), time.monotonic() - began

    code, report, took_s = asyncio.run(main())
    assert (code, report.statuses) == (0, {"200": report.sent})
    assert report.sent >= 20
    assert report.duration_s < 20.0
    assert took_s < 3.0


def test_the_summary_warns_of_what_its_numbers_hide() -> None:
    """Dropped requests and a schedule that could not be kept are pointed out."""
    report = LoadReport(
        url="http://h",
        settings=IRIS,
        seed=1,
        duration_s=1.0,
        scheduled=10,
        sent=8,
        rate=8.0,
        statuses={"200": 8, "dropped": 2},
        latency_s={"p50": 0.0123, "max": 2.5},
        late_share=0.25,
    )
    text = load.summary(report)
    assert "p50 12.3 ms  max 2.5 s" in text
    assert "dropped requests have no latency" in text
    assert "could not keep the schedule" in text
    calm = report.model_copy(update={"statuses": {"200": 10}, "late_share": 0.0})
    assert "note" not in load.summary(calm)
