"""Models from an MLflow registry: a ``models:/`` URI in, an artifact of our own kind out.

What a registry holds becomes an artifact of its own version, with manifest, hash and training statistics, and is then
loaded as every other; a reload asks the registry again, so that an alias or ``latest`` may have moved on. MLflow is
imported only here, and only by services that name such a URI. Reading a registered model runs code that is in it: only
name registries that you trust.
"""

from __future__ import annotations

import os
import re
import tempfile
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter

from service.clock import Clock, utc
from service.errors import LoadFailure, ModelLoadFailed
from service.models import store
from service.models.base import Profile, TrainingStatistics

FLAVOURS = ("sklearn", "pytorch")
_STATISTICS = TypeAdapter(TrainingStatistics)


class Registered(BaseModel):
    """What the registry wrote beside a downloaded version, ``registered_model_meta``."""

    model_config = ConfigDict(extra="ignore", frozen=True, protected_namespaces=(), coerce_numbers_to_str=True)

    model_name: str
    model_version: str

    @property
    def version(self) -> str:
        """Version of the artifact that is made of it; a folder's name."""
        return re.sub(r"[^A-Za-z0-9._-]", "_", f"mlflow-{self.model_name}-{self.model_version}")


def bring(profile: Profile, uri: str, artifacts: Path, clock: Clock) -> Path:
    """Return the artifact of the version that ``uri`` means now, brought from the registry where it is not here yet.

    Raises ``ModelLoadFailed``: without MLflow, without an answer, for a model of another flavour. A registered model
    that carries no ``training_stats.json`` is watched against the training data of the profile.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="firedrill-mlflow-") as folder:
            return _bring(profile, uri, artifacts, clock, Path(folder))
    except (ModelLoadFailed, MemoryError):
        raise
    except ImportError as error:
        detail = f"{uri} needs MLflow ({error}); install requirements-mlflow.txt"
        raise ModelLoadFailed(profile.name, artifacts, LoadFailure.OTHER, detail) from error
    except Exception as error:
        detail = f"{uri}: {type(error).__name__}: {error}"
        raise ModelLoadFailed(profile.name, artifacts, LoadFailure.OTHER, detail) from error


def _bring(profile: Profile, uri: str, artifacts: Path, clock: Clock, folder: Path) -> Path:
    import yaml  # noqa: PLC0415 - beside MLflow

    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    download = import_module("mlflow.artifacts").download_artifacts
    model = Path(download(artifact_uri=uri, dst_path=str(folder)))
    registered = Registered.model_validate(yaml.safe_load((model / "registered_model_meta").read_text("utf-8")))
    here = store.artifact_dir(artifacts, profile, registered.version)
    if here.exists():
        return here
    described: dict[str, Any] = yaml.safe_load((model / "MLmodel").read_text("utf-8"))
    flavours = [name for name in FLAVOURS if name in described.get("flavors", {})]
    if not flavours:
        raise TypeError(f"its flavours are {sorted(described.get('flavors', {}))}, expected one of {list(FLAVOURS)}")
    estimator = import_module(f"mlflow.{flavours[0]}").load_model(str(model))
    own = next(model.rglob(store.STATISTICS_FILE), None)
    return store.save(
        artifacts,
        profile,
        estimator=estimator,
        statistics=_STATISTICS.validate_json(own.read_bytes()) if own else profile.statistics(profile.dataset()),
        trained_at=str(described.get("utc_time_created") or utc(clock.time())),
        libraries={name: version(name) for name in profile.libraries},
        replace=False,
        version=registered.version,
        data_origin=f"MLflow registry, {registered.model_name} version {registered.model_version}",
    )
