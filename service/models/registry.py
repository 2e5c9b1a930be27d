"""The models that this process serves: loading them, replacing them, letting them go.

Loads go through the compute seam and the load hooks. A load that fails is logged and counted; what was loaded before
goes on serving.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

from opentelemetry.trace import Status, StatusCode

from service import compute as kinds
from service.clock import Clock, nanoseconds
from service.compute import Compute
from service.drift import DriftMonitor
from service.errors import LoadFailure, ModelLoadFailed, ModelNotLoaded, UnknownModel
from service.models import mlflow_source, store, training
from service.models.base import BodyReader, LoadedModel, Profile
from service.seams import LoadHook
from service.telemetry.logs import Log
from service.telemetry.metrics import Metrics
from service.telemetry.series import ModelSeries
from service.telemetry.tracing import Tracing


@dataclass(frozen=True, eq=False)
class Serving:
    """A loaded model with its series and its drift monitor."""

    model: LoadedModel
    series: ModelSeries
    drift: DriftMonitor


class Models:
    """The served models by name; ``default`` answers ``/predict``."""

    def __init__(
        self,
        profiles: Sequence[Profile],
        *,
        default: str,
        artifacts: Path,
        max_rows: int,
        device: str,
        metrics: Metrics,
        tracing: Tracing,
        log: Log,
        clock: Clock,
        compute: Compute,
        hooks: Sequence[LoadHook],
        uris: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.default = default
        self._profiles = {profile.name: profile for profile in profiles}
        self._artifacts, self._device, self._hooks, self._uris = artifacts, device, hooks, uris
        self._metrics, self._tracing, self._log, self._clock, self._compute = metrics, tracing, log, clock, compute
        self._readers = {profile.name: BodyReader(profile, max_rows) for profile in profiles}
        self._locks = {profile.name: asyncio.Lock() for profile in profiles}
        self._serving: dict[str, Serving] = {}
        self._series: dict[tuple[str, str], ModelSeries] = {}
        self._versions = {profile.name: profile.version for profile in profiles}
        for profile in profiles:
            metrics.declare_model(profile.name)
            self._series_of(profile.name, profile.version, profile.classes, profile.features)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the served models, loaded or not."""
        return tuple(self._profiles)

    @property
    def all_loaded(self) -> bool:
        """Whether every served model is loaded."""
        return len(self._serving) == len(self._profiles)

    @property
    def profiles(self) -> Mapping[str, Profile]:
        """The profiles of the served models by name."""
        return self._profiles

    def reader(self, name: str) -> BodyReader:
        """Return what reads request bodies of ``name``; raise ``UnknownModel``."""
        self._known(name)
        return self._readers[name]

    def loaded(self, name: str) -> LoadedModel | None:
        """Return the loaded model ``name``, or ``None`` while it is not loaded; raise ``UnknownModel``."""
        self._known(name)
        serving = self._serving.get(name)
        return serving.model if serving else None

    def serving(self, name: str) -> Serving:
        """Return what serves ``name`` now; raise ``UnknownModel`` or ``ModelNotLoaded``."""
        serving = self._serving.get(name)
        if serving is None:
            self._known(name)
            raise ModelNotLoaded(name)
        return serving

    def version(self, name: str) -> str:
        """Return the version that is loaded, was last loaded, or is expected."""
        return self._versions[name]

    def series(self, name: str) -> ModelSeries:
        """Return the series of ``version(name)``; raise ``UnknownModel``."""
        self._known(name)
        return self._series[name, self._versions[name]]

    async def start(self, *, warm_up: bool) -> None:
        """Load every served model, trained first where there is no artifact; a failure leaves that model unloaded."""
        for name, profile in self._profiles.items():
            try:
                if name not in self._uris:
                    await self._compute.run(
                        kinds.TRAIN, partial(training.ensure, profile, self._artifacts, self._clock)
                    )
            except Exception as error:  # noqa: BLE001 - whatever breaks, the other models shall serve
                self._failed(profile, error)
                continue
            if await self.load(name) and warm_up:
                await self._warm_up(self._serving[name].model)

    async def load(self, name: str) -> bool:
        """Load ``name`` from its artifact and return whether that worked; raise ``UnknownModel`` only."""
        self._known(name)
        profile = self._profiles[name]
        async with self._locks[name]:
            started = self._clock.perf()
            with self._tracing.stage("load_model", {"model.name": name}) as span:
                self._log.info("loading_model", model_name=name, device=self._device)
                try:
                    directory = await self._artifact(profile)
                    for hook in self._hooks:
                        directory = hook(name, directory)
                    model = await self._compute.run(kinds.LOAD, partial(store.load, profile, directory))
                except Exception as error:  # noqa: BLE001 - the model that serves goes on serving
                    span.record_exception(error, timestamp=nanoseconds(self._clock.time()))
                    span.set_status(Status(StatusCode.ERROR, str(error)))
                    self._failed(profile, error)
                    return False
                seconds = self._clock.perf() - started
                span.set_attribute("model.version", model.version)
                span.set_attribute("model.load_time_seconds", seconds)
                span.set_attribute("model.memory_bytes", model.memory_bytes)
                self._take(model, seconds)
                return True

    async def _artifact(self, profile: Profile) -> Path:
        """Return the artifact to load, fetched first where the model comes from a registry."""
        uri = self._uris.get(profile.name)
        if uri is None:
            return store.artifact_dir(self._artifacts, profile)
        return await self._compute.run(
            kinds.LOAD, partial(mlflow_source.bring, profile, uri, self._artifacts, self._clock)
        )

    async def reload(self, name: str) -> bool:
        """Load ``name`` again; while that runs, and if it fails, the old model serves."""
        return await self.load(name)

    async def unload(self, name: str) -> None:
        """Forget the loaded ``name``: it answers 503 until it is loaded again. Raise ``UnknownModel``."""
        self._known(name)
        async with self._locks[name]:
            self._serving.pop(name, None)
            self._metrics.unloaded(name)
            self._log.warning("model_not_loaded", model_name=name, cause="unloaded")

    def _known(self, name: str) -> None:
        if name not in self._profiles:
            raise UnknownModel(name, self._profiles)

    def _take(self, model: LoadedModel, seconds: float) -> None:
        """Let ``model`` serve from now on."""
        name, version = model.name, model.version
        features = model.statistics.features
        series = self._series_of(name, version, model.classes, [feature.name for feature in features])
        self._serving[name] = Serving(model, series, DriftMonitor(features, series))
        self._versions[name] = version
        self._metrics.loaded(model, seconds)
        self._log.info(
            "model_loaded",
            model_name=name,
            model_version=version,
            load_time_seconds=round(seconds, 6),
            memory_bytes=model.memory_bytes,
            device=self._device,
        )

    def _series_of(self, name: str, version: str, classes: Sequence[str], features: Sequence[str]) -> ModelSeries:
        key = (name, version)
        if key not in self._series:
            self._series[key] = self._metrics.declare_version(name, version, classes, features)
        return self._series[key]

    def _failed(self, profile: Profile, error: Exception) -> None:
        """Count and log a load that failed, or the training before it."""
        name = profile.name
        if isinstance(error, ModelLoadFailed):
            reason, detail, trace = error.reason, error.detail, None
        else:
            reason = LoadFailure.OUT_OF_MEMORY if isinstance(error, MemoryError) else LoadFailure.OTHER
            detail, trace = f"{type(error).__name__}: {error}", error
        self._metrics.load_failed(name, self._versions[name], reason)
        self._log.error("model_load_failed", model_name=name, reason=reason, error=detail, exc_info=trace)
        if name not in self._serving:
            self._metrics.unloaded(name)
            self._log.error("model_not_loaded", model_name=name, cause="its load failed")

    async def _warm_up(self, model: LoadedModel) -> None:
        """Predict one training row, uncounted, so that the first caller does not pay for lazy imports."""
        self._log.info("warming_up_model", model_name=model.name)
        started = self._clock.perf()
        items = model.profile.warm_up_items(model.statistics)
        await self._compute.run(kinds.PREDICT, partial(model.predict, items))
        seconds = self._clock.perf() - started
        self._log.info("model_warmup_complete", model_name=model.name, duration_ms=round(seconds * 1000, 3))
