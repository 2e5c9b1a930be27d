"""One prediction from bytes to output, whatever carries the bytes: queue, stages, hooks, time limit, metrics, spans."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from weakref import WeakKeyDictionary

from opentelemetry.trace import Span

from service import compute as kinds
from service.batching import Batcher, BatchLimits, Ticket
from service.clock import Clock, utc
from service.compute import Compute
from service.departure import UntilGone
from service.errors import PredictionFailed, QueueFull, RequestError, RequestTimedOut
from service.images import Pixels
from service.models.base import Items, Output, Rows
from service.models.parts.pictures import PictureProfile
from service.models.registry import Models, Serving
from service.seams import Call, Seams, Stage
from service.telemetry.logs import Log
from service.telemetry.metrics import exemplar_of
from service.telemetry.tracing import Tracing

RETRY_AFTER_S = (1, 3)
Read = Callable[[bytes], Items]
Gone = Callable[[], Awaitable[None]]


class PredictionQueue:
    """Who waits or runs: at most ``limit`` requests, and at most ``workers`` calls of models."""

    def __init__(self, limit: int, workers: int, rng: random.Random) -> None:
        self.limit, self.size, self.workers = limit, 0, workers
        self.slots = asyncio.Semaphore(workers)
        self._rng = rng

    def enter(self) -> None:
        """Take a place; raise ``QueueFull``, whose ``Retry-After`` is drawn, so that callers spread."""
        if self.size >= self.limit:
            raise QueueFull(self.limit, self._rng.randint(*RETRY_AFTER_S))
        self.size += 1

    def leave(self) -> None:
        """Give the place back."""
        self.size -= 1


class Inference:
    """Predicts. Knows models and seams, not HTTP."""

    def __init__(
        self,
        models: Models,
        *,
        queue: PredictionQueue,
        timeout_s: float,
        tracing: Tracing,
        log: Log,
        clock: Clock,
        compute: Compute,
        seams: Seams,
        limits: BatchLimits,
    ) -> None:
        self._models, self._queue, self._timeout_s = models, queue, timeout_s
        self._tracing, self._log, self._clock, self._compute, self._seams = tracing, log, clock, compute, seams
        self._limits = limits
        self._batchers: WeakKeyDictionary[Serving, Batcher] = WeakKeyDictionary()

    async def predict(
        self,
        name: str,
        payload: bytes,
        *,
        endpoint: str,
        request_id: str,
        read: Read | None = None,
        decode: bool = False,
        gone: Gone | None = None,
    ) -> Output:
        """Return the predictions for the rows in ``payload``; raise a ``RequestError``.

        ``read`` turns another protocol's payload into rows; without one it is the body of ``/predict``. With
        ``decode`` reading is work for the compute seam (pictures). An exception of a hook or of the model becomes
        ``PredictionFailed``. Once ``gone()`` returns nobody waits any more: ``CallerGone`` breaks the prediction off.
        """
        series = self._models.series(name)
        series.requests.inc()
        try:
            call = Call(name, self._models.version(name), endpoint, request_id)
            with UntilGone(gone):
                reading = partial(read or self._models.reader(name).read, payload)
                return await self._admitted(call, reading, decode=decode)
        except RequestError as error:
            series.errors[error.type].inc()
            level = self._log.warning if error.status < 500 else self._log.error
            level(
                error.event,
                request_id=request_id,
                model_name=name,
                error_type=error.type,
                error=str(error),
            )
            raise

    async def _admitted(self, call: Call, read: Callable[[], Items], *, decode: bool) -> Output:
        """Predict with a place in the queue and within the time limit."""
        serving = self._models.serving(call.model)
        self._queue.enter()
        limit = asyncio.timeout(self._timeout_s)
        try:
            async with limit:
                return await self._stages(serving, read, call, decode=decode)
        except RequestError:
            raise
        except Exception as error:
            if limit.expired():
                raise RequestTimedOut(self._timeout_s) from None
            raise PredictionFailed(call.model, error) from error
        finally:
            self._queue.leave()

    async def _stages(self, serving: Serving, read: Callable[[], Items], call: Call, *, decode: bool) -> Output:
        """Go through the stages, each in its span, which is the current one where a hook may ask for it."""
        hooked = bool(self._seams.stages or self._seams.inputs or self._seams.pictures)
        with self._tracing.stage(Stage.PREPROCESS.value, current=hooked):
            if self._seams.stages:
                await self._hooks(Stage.PREPROCESS, call)
            items = await self._compute.run(kinds.DECODE, read) if decode else read()
            items, rows = self._acted_on(serving, items, call)
        batcher = self._batcher(serving)
        with self._tracing.stage(Stage.QUEUE.value, current=hooked):
            if self._seams.stages:
                await self._hooks(Stage.QUEUE, call)
            ticket = batcher.join(items)
            try:
                await ticket.begun
            except BaseException:
                batcher.leave(ticket)
                raise
        try:
            output = await self._run(serving, ticket, call)
        finally:
            batcher.leave(ticket)
        with self._tracing.stage("drift", current=False) as span:
            flagged = serving.drift.check(rows)
            span.set_attribute("drift.flagged", flagged)
        return output

    async def _run(self, serving: Serving, ticket: Ticket, call: Call) -> Output:
        """Wait for the call that ``ticket`` is part of, then for the hooks, and observe what came out.

        The hooks come last, so that one which waits or raises holds up its own request and no batch.
        """
        model, series = serving.model, serving.series
        with self._tracing.stage(
            Stage.MODEL_PREDICTION.value,
            {"model.name": call.model, "model.version": model.version},
            current=bool(self._seams.stages or self._seams.predictions),
        ) as span:
            exemplar = exemplar_of(span.get_span_context())
            try:
                output = await ticket.output()
                if self._seams.stages:
                    await self._hooks(Stage.MODEL_PREDICTION, call)
                for hook in self._seams.predictions:
                    output = hook(call, output)
            finally:
                seconds = self._clock.perf() - ticket.started
                series.inference.observe(seconds, exemplar)
            if span.is_recording():
                _describe(span, output, utc(self._clock.time()), seconds)
        series.observe(output)
        self._log.info(
            "prediction_completed",
            request_id=call.request_id,
            model_name=call.model,
            model_version=model.version,
            rows=len(ticket.items),
            duration_ms=round(seconds * 1000, 3),
        )
        return output

    def _batcher(self, serving: Serving) -> Batcher:
        """Return what calls the model of ``serving``; it goes when the model does."""
        batcher = self._batchers.get(serving)
        if batcher is None:
            together = serving.model.profile.batched and self._limits.rows > 1
            batcher = self._batchers[serving] = Batcher(
                serving.model.predict,
                compute=self._compute,
                slots=self._queue.slots,
                lanes=1 if together else self._queue.workers,
                limits=self._limits if together else BatchLimits(rows=1),
                now=self._clock.perf,
                on_batch=serving.series.batch.observe,
            )
        return batcher

    def _acted_on(self, serving: Serving, items: Items, call: Call) -> tuple[Items, Rows]:
        """Return the inputs and the features that the drift check sees of them, after the input hooks."""
        profile = serving.model.profile
        if self._seams.pictures and isinstance(profile, PictureProfile):
            pixels: Sequence[Pixels] = [picture.pixels for picture in items]
            for change in self._seams.pictures:
                pixels = change(call, pixels)
            if any(new is not picture.pixels for new, picture in zip(pixels, items, strict=True)):
                items = [profile.pictured(new) for new in pixels]
        seen = rows = profile.observed(items)
        for hook in self._seams.inputs:
            rows = hook(call, rows, serving.model.statistics.features)
        return (items if rows is seen else profile.moved(items, seen, rows)), rows

    async def _hooks(self, stage: str, call: Call) -> None:
        for hook in self._seams.stages:
            await hook(stage, call)


def _describe(span: Span, output: Output, timestamp: str, seconds: float) -> None:
    """Say on the span what was predicted, by the first row."""
    attributes: dict[str, str | int | float] = {
        "prediction.value": output.values[0],
        "prediction.rows": len(output.values),
        "timestamp.utc": timestamp,
        "inference.duration_seconds": seconds,
    }
    if output.classes:
        attributes["prediction.class"] = output.classes[0]
        attributes["prediction.confidence"] = output.confidence[0]
    span.set_attributes(attributes)
