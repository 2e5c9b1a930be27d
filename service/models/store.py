"""The artifact store: ``<artifacts>/<model>/<version>/`` with the model, its manifest and its training statistics.

An artifact appears whole or not at all. Nothing in it is unpickled before every file has the hash that the manifest
gives, and what is unpickled is the very bytes that were hashed. Nothing here starts threads or knows metrics.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import warnings
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from service.errors import DeviceUnavailable, LoadFailure, ModelLoadFailed
from service.models.base import LoadedModel, Profile, TrainingStatistics

MANIFEST_FILE = "manifest.json"
STATISTICS_FILE = "training_stats.json"


class Manifest(BaseModel):
    """``manifest.json``: what an artifact is and the SHA-256 of each of its files."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    name: str
    version: str
    trained_at: str
    data_origin: str
    features: tuple[str, ...]
    classes: tuple[str, ...]
    libraries: dict[str, str]
    files: dict[str, str]


_STATISTICS = TypeAdapter(TrainingStatistics)


def artifact_dir(artifacts: Path, profile: Profile, version: str = "") -> Path:
    """Return where the artifact of ``profile`` belongs; its version is the profile's, unless given."""
    return artifacts / profile.name / (version or profile.version)


def save(
    artifacts: Path,
    profile: Profile,
    *,
    estimator: object,
    statistics: TrainingStatistics,
    trained_at: str,
    libraries: Mapping[str, str],
    replace: bool,
    version: str = "",
    data_origin: str = "",
) -> Path:
    """Write an artifact and return its folder.

    The folder is written aside and renamed. With ``replace`` an existing artifact gives way; without, the first of
    two racing processes wins and the other's work is dropped. ``version`` and ``data_origin`` are the profile's, unless
    given.
    """
    version = version or profile.version
    final = artifact_dir(artifacts, profile, version)
    final.parent.mkdir(parents=True, exist_ok=True)
    partial = final.parent / f".partial-{version}-{os.getpid()}-{secrets.token_hex(4)}"
    partial.mkdir()
    try:
        (partial / profile.model_file).write_bytes(profile.dump(estimator))
        (partial / STATISTICS_FILE).write_text(json.dumps(asdict(statistics), indent=1), encoding="utf-8")
        manifest = Manifest(
            name=profile.name,
            version=version,
            trained_at=trained_at,
            data_origin=data_origin or profile.data_origin,
            features=profile.features,
            classes=profile.classes,
            libraries=dict(libraries),
            files={name: _sha256((partial / name).read_bytes()) for name in (profile.model_file, STATISTICS_FILE)},
        )
        (partial / MANIFEST_FILE).write_text(manifest.model_dump_json(indent=1), encoding="utf-8")
        _publish(partial, final, replace=replace)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return final


def load(profile: Profile, directory: Path) -> LoadedModel:
    """Return the model of the artifact in ``directory``; raise ``ModelLoadFailed`` with the reason."""
    try:
        return _load(profile, directory)
    except ModelLoadFailed:
        raise
    except FileNotFoundError as error:
        raise _failed(profile, directory, LoadFailure.MISSING_FILE, f"{error.filename} is missing") from error
    except MemoryError as error:
        detail = str(error) or "the model does not fit into memory"
        raise _failed(profile, directory, LoadFailure.OUT_OF_MEMORY, detail) from error
    except DeviceUnavailable as error:
        raise _failed(profile, directory, LoadFailure.NO_DEVICE, str(error)) from error
    except OSError as error:
        raise _failed(profile, directory, LoadFailure.OTHER, str(error)) from error


def _load(profile: Profile, directory: Path) -> LoadedModel:
    manifest = _manifest(profile, directory)
    contents = {name: (directory / name).read_bytes() for name in (profile.model_file, STATISTICS_FILE)}
    for name, content in contents.items():
        expected, actual = manifest.files.get(name), _sha256(content)
        if expected != actual:
            detail = f"{name} has SHA-256 {actual[:12]}…, the manifest says {str(expected)[:12]}…"
            raise _failed(profile, directory, LoadFailure.HASH_MISMATCH, detail)
    try:
        statistics = _STATISTICS.validate_json(contents[STATISTICS_FILE])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # scikit-learn warns of other versions of itself; the manifest tells them
            estimator = profile.restore(contents[profile.model_file])
        predict = profile.predictor(estimator)
    except (MemoryError, DeviceUnavailable):
        raise
    except Exception as error:
        detail = f"{type(error).__name__}: {error}"
        raise _failed(profile, directory, LoadFailure.DAMAGED_FILE, detail) from error
    return LoadedModel(
        profile=profile,
        version=manifest.version,
        sha256=manifest.files[profile.model_file],
        trained_at=manifest.trained_at,
        data_origin=manifest.data_origin,
        classes=manifest.classes,
        statistics=statistics,
        memory_bytes=len(contents[profile.model_file]),
        predict=predict,
    )


def _manifest(profile: Profile, directory: Path) -> Manifest:
    text = (directory / MANIFEST_FILE).read_bytes()
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError as error:
        detail = f"{MANIFEST_FILE} is not a manifest ({error.error_count()} problems)"
        raise _failed(profile, directory, LoadFailure.DAMAGED_FILE, detail) from error
    if manifest.name != profile.name:
        detail = f"{MANIFEST_FILE} is of model {manifest.name!r}"
        raise _failed(profile, directory, LoadFailure.OTHER, detail)
    return manifest


def _publish(partial: Path, final: Path, *, replace: bool) -> None:
    """Rename ``partial`` to ``final``, which may exist or come to exist at any moment."""
    while True:
        try:
            partial.rename(final)
        except OSError:
            if not final.is_dir():
                raise
            if not replace:
                return
            old = final.parent / f".replaced-{final.name}-{os.getpid()}-{secrets.token_hex(4)}"
            try:
                final.rename(old)
            except FileNotFoundError:
                continue  # another process has just moved it
            shutil.rmtree(old, ignore_errors=True)
        else:
            return


def _failed(profile: Profile, directory: Path, reason: LoadFailure, detail: str) -> ModelLoadFailed:
    return ModelLoadFailed(profile.name, directory, reason, detail)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
