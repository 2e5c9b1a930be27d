"""``python -m service``: the plain service, without any fault in reach; with ``WORKERS`` above 1 its replicas."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from service.errors import ServiceError
from service.replicas import check_ports, replica_of, run_replicas
from service.settings import Settings, load_settings

if TYPE_CHECKING:
    from fastapi import FastAPI


def reloadable() -> FastAPI:
    """Return the app for uvicorn's own reloader (``RELOAD=true``)."""
    from service.server import build_live_service  # noqa: PLC0415 - the parent of replicas stays small

    return build_live_service(load_settings()).app


def main() -> int:
    """Serve until stopped and return the exit code."""
    try:
        replica = replica_of(sys.argv[1:])
        if replica is not None:
            replica.die_with_parent()
        settings = load_settings()
        if settings.reload:
            import uvicorn  # noqa: PLC0415 - as above

            uvicorn.run(
                "service.__main__:reloadable", factory=True, reload=True, host=settings.host, port=settings.port
            )
        elif replica is None and settings.workers > 1:
            return _replicas(settings)
        else:
            from service.server import run  # noqa: PLC0415 - as above

            run(settings, replica)
    except ServiceError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the start stops here, before there is a log
        return 2
    return 0


def _replicas(settings: Settings) -> int:
    own = [settings.replica_port + index for index in range(settings.workers)]
    check_ports(settings.host, {settings.port: "PORT", **dict.fromkeys(own, "REPLICA_PORT")})
    return run_replicas(
        "service", [(settings.host, port) for port in own], stop_within_s=settings.graceful_shutdown_timeout
    )


if __name__ == "__main__":
    sys.exit(main())
