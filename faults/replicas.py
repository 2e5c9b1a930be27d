"""``python -m faults.replicas``: the parent of ``WORKERS`` replicas of ``faults.serve``, on the stack's ports.

It builds no app, lights nothing and holds no port. Each replica has a control port and a port for its metrics.
"""

from __future__ import annotations

import sys

from faults.errors import FaultError
from faults.sockets import bind
from service.errors import ServiceError
from service.replicas import CANNOT_START, run_replicas
from service.settings import Settings, load_settings
from stack.endpoints import Endpoints, of_replicas
from stack.home import endpoints_from_environment


def supervise(settings: Settings, endpoints: Endpoints) -> int:
    """Run ``settings.workers`` replicas until told to stop and return the exit code; raise ``PortTaken``."""
    own = of_replicas("replica", settings.workers)
    for name in ("service", *own, *of_replicas("control", settings.workers)):
        bind(name, endpoints.port(name), host=endpoints.listen).close()
    addresses = [(endpoints.listen, endpoints.port(name)) for name in own]
    return run_replicas("faults.serve", addresses, stop_within_s=settings.graceful_shutdown_timeout)


def main() -> int:
    """Run the replicas and return the exit code."""
    endpoints = endpoints_from_environment()
    try:
        return supervise(load_settings(host=endpoints.listen, port=endpoints.port("service")), endpoints)
    except (ServiceError, FaultError) as error:
        print(error, file=sys.stderr)  # noqa: T201 - the start stops here, before there is a log
        return CANNOT_START


if __name__ == "__main__":
    sys.exit(main())
