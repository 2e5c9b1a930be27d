"""The catalogue of model profiles: each other file of this folder that defines ``PROFILE``."""

from __future__ import annotations

import pkgutil
from importlib import import_module

from service import models
from service.errors import UnknownProfile
from service.images import ImageLimits
from service.models.base import Options, Profile
from service.settings import Settings

_NOT_PROFILES = frozenset({"base", "mlflow_source", "profiles", "registry", "store", "training"})


def profile_names() -> tuple[str, ...]:
    """Return the names of all profiles, sorted. A file ``exchange_rate.py`` is the profile ``exchange-rate``."""
    modules = (module.name for module in pkgutil.iter_modules(models.__path__) if not module.ispkg)
    return tuple(sorted(name.replace("_", "-") for name in modules if name not in _NOT_PROFILES))


def profile_named(name: str) -> Profile:
    """Return the profile ``name`` or raise ``UnknownProfile``."""
    known = profile_names()
    if name not in known:
        raise UnknownProfile(name, known)
    profile: Profile = import_module(f"service.models.{name.replace('-', '_')}").PROFILE
    return profile


def options_of(settings: Settings) -> Options:
    """Return what the settings say to the profiles."""
    return Options(
        device=settings.model_device,
        torch_threads=settings.torch_threads,
        resnet50_weights=settings.resnet50_weights,
        images=ImageLimits(settings.max_image_bytes, settings.max_image_pixels),
        downloads=settings.artifacts_dir,
    )
