"""How long `up --runtime docker` takes until everything is ready, where an engine has the images."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from contextlib import suppress

from panel.bench.figures import Figure
from panel.bench.workplace import workplace
from panel.commands.console import CommandError
from stack.compose import COMPOSE_FILE
from stack.docker_containers import Project
from stack.docker_engine import DockerError, EngineUnavailable, connect
from stack.docker_images import ensure_images, has_image
from stack.docker_options import Options, read_stack

NAME = "warm `up --runtime docker --detach` until everything is ready, median of 3"
STARTS = 3


def measure_containers(say: Callable[[str], None]) -> list[Figure]:
    """Start a stack in containers three times; without an engine, or its images, say why there is no figure.

    Images that are missing are not pulled, and what has none is left out and named. Ours is built where it is old.
    """
    try:
        client = connect()
    except EngineUnavailable as missing:
        return [Figure(NAME, None, "s", note=str(missing))]
    with workplace() as place:
        options = Options(place.home, offset=place.endpoints.offset)
        compose, services = read_stack(options)
        absent = [name for name, each in services.items() if each.build is None and not has_image(client, each.image)]
        needed = {"prometheus", "alertmanager", "jaeger"} & set(absent)
        if needed:
            return [Figure(NAME, None, "s", note=f"the engine has no image of {', '.join(sorted(needed))}; pull them")]
        leave_out = [part for name in absent for part in ("--without", name)]
        project = Project(client, compose.name, COMPOSE_FILE.parent)
        try:
            ensure_images(client, {"service": services["service"]}, COMPOSE_FILE.parent, say)
            times = []
            for turn in range(STARTS):
                say(f"start {turn + 1} of {STARTS} in containers, on an engine with {os.cpu_count()} cores")
                began = time.monotonic()
                place.cli("up", "--runtime", "docker", "--detach", "--port-offset", str(options.offset), *leave_out)
                times.append(time.monotonic() - began)
                place.down()
        except (DockerError, CommandError) as error:
            return [Figure(NAME, None, "s", note=str(error))]
        finally:
            with suppress(DockerError):
                project.remove_volumes()
    note = f"without {', '.join(absent)}" if absent else ""
    return [Figure(NAME + (f" ({note})" if note else ""), round(statistics.median(times), 1), "s", note=note)]
