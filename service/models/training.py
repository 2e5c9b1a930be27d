"""Training: data of a profile in, an artifact out. Offline, seeded, a second or two."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from service.clock import Clock, utc
from service.models import store
from service.models.base import Profile


def train(profile: Profile, artifacts: Path, clock: Clock, *, replace: bool = True) -> Path:
    """Train ``profile`` and return the folder of its artifact (``store.save`` says what ``replace`` does)."""
    dataset = profile.dataset()
    return store.save(
        artifacts,
        profile,
        estimator=profile.fit(dataset),
        statistics=profile.statistics(dataset),
        trained_at=utc(clock.time()),
        libraries={name: version(name) for name in profile.libraries},
        replace=replace,
    )


def ensure(profile: Profile, artifacts: Path, clock: Clock) -> Path:
    """Return the artifact folder of ``profile``; train it where there is none. A damaged artifact is left alone."""
    directory = store.artifact_dir(artifacts, profile)
    return directory if directory.exists() else train(profile, artifacts, clock, replace=False)
