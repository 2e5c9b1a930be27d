"""What the kinds that act inside the service do by themselves: answers moved, statuses drawn, memory bounded."""

from __future__ import annotations

import asyncio
import random
import statistics
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from pydantic import ValidationError
from starlette.responses import PlainTextResponse

import faults.kinds  # noqa: F401 - fills the catalogue
from faults.base import FaultRequest, Target
from faults.errors import BadFaultRequest, FaultUnavailable
from faults.host import BareHost
from faults.injector import Injector
from faults.kinds.confidence_collapse import ConfidenceCollapse, ConfidenceCollapseParameters
from faults.kinds.cpu_burn import CpuBurn, CpuBurnParameters
from faults.kinds.error import Error, ErrorParameters, weights_of
from faults.kinds.memory_leak import MIB, RESERVE_MIB, UNKNOWN_MIB, NoMemoryToLeak, bound_bytes
from faults.kinds.ood_inputs import SENTINEL, OodInputs, OodInputsParameters
from faults.kinds.prediction_shift import PredictionShift, PredictionShiftParameters
from faults.kinds.queue_saturation import QueueSaturation, QueueSaturationParameters
from faults.kinds.scrape_failure import cut_off
from faults.memory import available_bytes
from faults.middleware import FaultMiddleware, HttpCall
from faults.outputs import Answered
from faults.service_host import ArrayPicture
from service.models.base import TrainingStatistics
from service.models.profiles import profile_named
from tests.unit.faults.hosts import CLASSES, ModelsOnPaper

CALL = HttpCall("/predict", "iris")


def collapse(target: str | None = None, **parameters: Any) -> ConfidenceCollapse:
    """Return a confidence collapse at its point."""
    fault = ConfidenceCollapse(ConfidenceCollapseParameters(**parameters), Target(model=target), random.Random(1))
    assert fault.points(ModelsOnPaper()) == {"predictions"}
    return fault


def shift(target: str | None = None, **parameters: Any) -> PredictionShift:
    """Return a prediction shift at its point."""
    fault = PredictionShift(PredictionShiftParameters(**parameters), Target(model=target), random.Random(1))
    assert fault.points(ModelsOnPaper()) == {"predictions"}
    return fault


def test_confidence_falls_to_chance_and_classes_stay() -> None:
    """By default the confidences are one over the number of classes, never less, and nothing else changes."""
    sure = Answered((0.0,) * 200, ("setosa",) * 200, (0.99,) * 200)
    unsure = collapse().on_predictions(CALL, sure)
    assert (unsure.values, unsure.classes) == (sure.values, sure.classes)
    assert min(unsure.confidence) == 1 / 3
    assert max(unsure.confidence) < 1 / 3 + 0.12


def test_confidence_falls_to_the_mean_asked_for() -> None:
    """In mean mode the mean of many confidences is the given one."""
    sure = Answered((0.0,) * 2000, ("setosa",) * 2000, (0.99,) * 2000)
    unsure = collapse(mode="mean", mean=0.6, spread=0.05).on_predictions(CALL, sure)
    assert statistics.fmean(unsure.confidence) == pytest.approx(0.6, abs=0.01)


def test_random_classes_keep_value_and_name_together() -> None:
    """Each class comes up, with the position that belongs to it."""
    guessed = collapse(classes="random").on_predictions(CALL, Answered((0.0,) * 99, ("setosa",) * 99, (0.9,) * 99))
    assert set(guessed.classes) == set(CLASSES["iris"])
    pairs = zip(guessed.values, guessed.classes, strict=True)
    assert all(CLASSES["iris"][int(value)] == name for value, name in pairs)


def test_regressors_have_no_confidence_to_lose() -> None:
    """A regressor's output passes unchanged, and a target that is one is refused with the reason."""
    output = Answered((2.5,))
    assert collapse().on_predictions(HttpCall("/predict/housing", "housing"), output) is output
    with pytest.raises(FaultUnavailable, match="housing has no classes"):
        collapse("housing")


def test_answers_move_to_the_class_asked_for() -> None:
    """Every answer is the class named, with its position; confidences stay."""
    moved = shift("iris", towards="versicolor").on_predictions(CALL, Answered((2.0,), ("virginica",), (0.8,)))
    assert moved == Answered((1.0,), ("versicolor",), (0.8,))


def test_answers_move_to_the_last_class_where_none_is_named() -> None:
    """Each classifier has its own."""
    fault = shift()
    moved = fault.on_predictions(HttpCall("/predict/churn", "churn"), Answered((0.0,), ("no",), (0.8,)))
    assert (moved.values, moved.classes) == ((1.0,), ("yes",))


def test_a_share_of_the_rows_moves() -> None:
    """About the given share of a request's rows changes."""
    before = Answered((0.0,) * 1000, ("setosa",) * 1000, (0.8,) * 1000)
    moved = shift(share=0.3).on_predictions(CALL, before)
    assert list(moved.classes).count("virginica") == pytest.approx(300, abs=60)


def test_a_regressors_values_are_scaled_and_offset() -> None:
    """Value times factor plus offset."""
    fault = shift(factor=1.8, offset=32.0)
    assert fault.on_predictions(HttpCall("/predict/housing", "housing"), Answered((10.0, 0.0))).values == (50.0, 32.0)


def test_a_class_that_no_model_has_is_refused() -> None:
    """The refusal says which classes there are."""
    with pytest.raises(FaultUnavailable, match=r"no targeted model has the class 'rose'.*iris: setosa, versicolor"):
        shift(towards="rose")


def test_a_mix_of_statuses_is_drawn_by_weight() -> None:
    """Three of four answers have the status that weighs three times as much."""
    fault = Error(ErrorParameters(mix="500:3, 503:1"), Target(), random.Random(1))

    async def drawn() -> list[int]:
        async def never(_: float) -> None:
            raise AssertionError("an error waits for nothing")

        replies = [await fault.on_request(CALL, never) for _ in range(2000)]
        return [reply.status for reply in replies if reply is not None]

    statuses = asyncio.run(drawn())
    assert set(statuses) == {500, 503}
    assert statuses.count(500) == pytest.approx(1500, abs=100)


@pytest.mark.parametrize("mix", ["500", "500:0", "200:1", "500:1, 500:2", "abc:1", "500:x", "500:1.5", "500:9999"])
def test_a_mix_that_says_nothing_is_refused(mix: str) -> None:
    """Statuses from 400 to 599, whole weights from 1 to 1000, each status once."""
    with pytest.raises(ValidationError, match="mix"):
        ErrorParameters(mix=mix)


@given(st.dictionaries(st.integers(400, 599), st.integers(1, 1000), max_size=10))
def test_any_good_mix_is_read_as_it_is_written(weights: dict[int, int]) -> None:
    """What was written comes back."""
    assert weights_of(", ".join(f"{status}:{weight}" for status, weight in weights.items())) == weights


def ood(**parameters: Any) -> OodInputs:
    """Return an out-of-distribution fault that was not lit."""
    return OodInputs(OodInputsParameters(**parameters), Target(), random.Random(1))


@pytest.mark.parametrize(("fill", "expected"), [("sentinel", SENTINEL), ("zero", 0.0), ("mean", None)])
def test_missing_values_are_what_pipelines_fill_in(fill: str, expected: float | None) -> None:
    """A sentinel, zero, or the training mean; the mean is the one that no drift check flags."""
    iris = profile_named("iris")
    features = TrainingStatistics.of(iris.dataset().rows, iris.features).features
    rows = ood(mode="missing", fill=fill).on_inputs(CALL, [[5.1, 3.5, 1.4, 0.2]], features)
    assert rows == [[feature.mean if expected is None else expected for feature in features]]
    inside = all(one.lower <= value <= one.upper for value, one in zip(rows[0], features, strict=True))
    assert inside is (fill == "mean")


def test_pictures_become_negatives_and_noisy() -> None:
    """Pixels are turned round, or deviate as asked and stay between 0 and 1; the caller's are left alone."""
    pixels = np.full((64, 64), 0.5, dtype=np.float32)
    negative = ood(mode="invert").on_pictures(CALL, [ArrayPicture(pixels * 0.5)])[0]
    assert isinstance(negative, ArrayPicture)
    assert np.all(negative.pixels == np.float32(0.75))
    noisy = ood(mode="noise", magnitude=1).on_pictures(CALL, [ArrayPicture(pixels)])[0]
    assert isinstance(noisy, ArrayPicture)
    assert noisy.pixels.std() == pytest.approx(0.1, rel=0.1)
    assert noisy.pixels.min() >= 0.0
    assert noisy.pixels.max() <= 1.0
    assert np.all(pixels == np.float32(0.5))


@pytest.mark.parametrize("mode", ["noise", "invert"])
def test_pixel_modes_need_pictures(mode: str) -> None:
    """They are refused for a model of rows with the reason, and with options that mean nothing for a picture."""
    fault = OodInputs(OodInputsParameters(mode=mode), Target(model="iris"), random.Random(1))  # type: ignore[arg-type]
    with pytest.raises(FaultUnavailable, match=f"{mode} needs a model of pictures, not iris"):
        fault.points(ModelsOnPaper())
    assert ood(mode=mode).points(ModelsOnPaper()) == {"pictures"}
    with pytest.raises(ValidationError, match="whole pictures"):
        ood(mode=mode, features=[1])


async def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds, within five seconds."""
    async with asyncio.timeout(5):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)


def test_the_queues_places_are_taken_topped_up_and_given_back() -> None:
    """Places that requests hold are taken as they come free; in the end all are back."""

    async def scenario() -> None:
        host = ModelsOnPaper()
        host.taken = 4
        fault = QueueSaturation(QueueSaturationParameters(share=0.8), Target(), random.Random(1))
        await fault.apply(host)
        assert host.taken == 10
        for _ in range(4):  # the requests leave
            host.give_back_place()
        await until(lambda: host.taken == 8)
        for _ in range(2):
            await fault.rollback(host)
            assert host.taken == 0

    asyncio.run(scenario())


def test_burning_threads_end_at_once() -> None:
    """They burn while it lasts, and none is left after the rollback."""

    async def scenario() -> None:
        fault = CpuBurn(CpuBurnParameters(threads=3, share=0.5), Target(), random.Random(1))
        await fault.apply(BareHost())
        assert len([one for one in threading.enumerate() if one.name.startswith("cpu-burn")]) == 3
        for _ in range(2):
            await fault.rollback(BareHost())
            assert not [one for one in threading.enumerate() if one.name.startswith("cpu-burn")]

    asyncio.run(scenario())


def test_held_workers_make_predictions_wait_and_are_let_go() -> None:
    """While every worker is held other work waits for the turn's end; the rollback ends the turn at once."""

    async def scenario() -> None:
        host = ModelsOnPaper()
        fault = CpuBurn(CpuBurnParameters(threads=2, share=0.1, contends_for="workers"), Target(), random.Random(1))
        assert fault.points(host) == frozenset()
        await fault.apply(host)
        await until(lambda: host.busy == 2)
        prediction = asyncio.get_running_loop().create_task(host.run_in_worker(lambda: None))
        await asyncio.sleep(0.05)
        assert not prediction.done()
        await fault.rollback(host)
        await prediction
        assert host.busy == 0
        host.close()

    asyncio.run(scenario())


def test_an_app_without_workers_has_none_to_hold() -> None:
    """It is refused with the reason."""
    fault = CpuBurn(CpuBurnParameters(contends_for="workers"), Target(), random.Random(1))
    with pytest.raises(FaultUnavailable, match="needs a service with inference workers"):
        fault.points(BareHost())


def test_a_leak_never_takes_the_machine_down() -> None:
    """It takes at most half of what is available, leaves the reserve, and is refused where there is nothing to take."""
    assert bound_bytes(100 * MIB, 8192 * MIB) == 100 * MIB
    assert bound_bytes(9000 * MIB, 8192 * MIB) == 4096 * MIB
    assert bound_bytes(9000 * MIB, 600 * MIB) == (600 - RESERVE_MIB) * MIB
    assert bound_bytes(9000 * MIB, None) == UNKNOWN_MIB * MIB
    with pytest.raises(NoMemoryToLeak, match="only 512 MiB are available"):
        bound_bytes(MIB, 512 * MIB)


def test_what_is_available_is_the_lesser_of_machine_and_container(tmp_path: Path) -> None:
    """A container's limit counts where it is less; a missing or unlimited one does not."""
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 9000 kB\nMemAvailable: 4000 kB\n")
    assert available_bytes(meminfo, tmp_path) == 4000 * 1024
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("100\n")
    assert available_bytes(meminfo, tmp_path) == 4000 * 1024
    (tmp_path / "memory.max").write_text("1100\n")
    assert available_bytes(meminfo, tmp_path) == 1000


@pytest.mark.parametrize(
    ("mode", "status", "text"), [("empty", 200, ""), ("garbage", 200, "<!doctype html>"), ("status", 503, '{"error"')]
)
def test_a_failed_scrape_is_answered_in_the_apps_place(mode: str, status: int, text: str) -> None:
    """On any app: what stands for the metrics is plain text, and other paths answer as ever."""

    async def scenario() -> None:
        injector = Injector()
        app = FaultMiddleware(PlainTextResponse("fine"), injector)
        parameters = {"mode": mode, "status": status} if mode == "status" else {"mode": mode}
        await injector.light(FaultRequest(kind="scrape_failure", parameters=parameters, ttl_s=30))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as client:
            scraped, other = await client.get("/metrics"), await client.get("/other")
        assert (scraped.status_code, other.text) == (status, "fine")
        assert scraped.text.startswith(text)
        assert len(scraped.text) > 0 or mode == "empty"
        assert scraped.headers["content-type"].startswith("application/json" if mode == "status" else "text/plain")
        await injector.close()

    asyncio.run(scenario())


def test_a_cut_off_exposition_is_broken() -> None:
    """It ends in the middle of a sample's name, and no parser takes it."""
    whole = '# TYPE a gauge\na 1\n# TYPE b_total counter\nb_total{x="1"} 2\nb_total{x="2"} 3\nb_total{x="3"} 4\n'
    half = cut_off(whole)
    assert whole.startswith(half)
    assert half.endswith("b_t")
    assert cut_off("process_start_time_seconds 0\n") == "process_start"
    with pytest.raises(ValueError, match=r"could not convert|float|b_t"):
        list(text_string_to_metric_families(half + "\n"))


@pytest.mark.parametrize(
    ("request_", "problem"),
    [
        (FaultRequest(kind="cpu_burn", ttl_s=5, probability=0.5), "acts as a whole"),
        (FaultRequest(kind="cpu_burn", ttl_s=5, target=Target(endpoint="/predict")), "target.endpoint"),
        (FaultRequest(kind="memory_leak", ttl_s=5, ramp_s=3), "acts as a whole"),
    ],
)
def test_what_acts_on_the_process_takes_no_share_and_no_target(request_: FaultRequest, problem: str) -> None:
    """It is refused with the reason, before anything is burnt or taken."""

    async def light() -> None:
        await Injector().light(request_)

    with pytest.raises(BadFaultRequest, match=problem):
        asyncio.run(light())


@pytest.mark.parametrize("kind", ["confidence_collapse", "prediction_shift", "queue_saturation", "trace_loss"])
def test_a_bare_app_does_not_offer_what_it_cannot(kind: str) -> None:
    """The catalogue says why."""
    described = next(one for one in Injector().kinds() if one.kind == kind)
    assert not described.available
    assert described.unavailable_because is not None
    assert described.unavailable_because.startswith("it needs")
