"""``python -m service.train [MODEL…]``: train models (all profiles where none is named) into ``ARTIFACTS_DIR``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from service.clock import SystemClock
from service.errors import ServiceError
from service.models.base import Profile
from service.models.profiles import options_of, profile_named, profile_names
from service.models.training import train
from service.settings import load_settings


def main(names: Sequence[str]) -> int:
    """Train ``names``, print a line for each artifact, return the exit code."""
    clock = SystemClock()
    try:
        settings = load_settings()
        artifacts, options = settings.artifacts_dir, options_of(settings)
        for profile in _chosen(names):
            started = clock.perf()
            directory = train(profile.with_options(options), artifacts, clock)
            print(f"{profile.name} {profile.version} trained in {clock.perf() - started:.1f} s: {directory}")  # noqa: T201 - a command's output
    except ServiceError as error:
        print(error, file=sys.stderr)  # noqa: T201 - as above
        return 1
    return 0


def _chosen(names: Sequence[str]) -> list[Profile]:
    """Return the named profiles, without names all that train from what is here; raise ``UnknownProfile``."""
    if names:
        return [profile_named(name) for name in names]
    return [profile for profile in map(profile_named, profile_names()) if not profile.opt_in]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
