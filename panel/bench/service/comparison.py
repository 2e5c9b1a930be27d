"""What the service's telemetry costs beside the common stack, and how much it answers beside that and MLServer.

Time is processor time per request, exports included: it shows what telemetry costs a busy service, where it decides how
much is answered, and it hardly moves when the machine has something else to do, unlike times seen by a client.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack

from panel.bench.figures import Figure
from panel.bench.service.bodies import row_requests, tensor_requests
from panel.bench.service.contenders import BARE, COMMON, COMMON_SKLEARN, MLSERVER, OURS, SILENT, Bench
from panel.bench.service.environments import COMMON as COMMON_ENVIRONMENT
from panel.bench.service.environments import MLSERVER as MLSERVER_ENVIRONMENT
from panel.bench.service.environments import EnvironmentNotBuilt, python_of
from panel.bench.service.pressure import Cost, press
from panel.bench.service.processes import Server

ROUNDS = 5
SECONDS = 1.5
WARM_UP_S = 0.7
CONNECTIONS = 16

Rounds = Mapping[str, Sequence[Cost]]


def measure(bench: Bench, sink: Server, say: Callable[[str], None]) -> list[Figure]:
    """Load each server in turn, several times, and compare."""
    flowers = json.loads((bench.iris / "training_stats.json").read_text("utf-8"))["examples"]
    bodies, tensors = row_requests(flowers), tensor_requests("iris", flowers)
    absent = ""
    common = python_of(COMMON_ENVIRONMENT, say)
    with ExitStack() as stack:
        servers = [
            stack.enter_context(each)
            for each in (
                bench.service(sink),
                bench.service(sink, name=SILENT, silent=True),
                bench.app(common, sink, name=BARE, kind="bare", predictor="folded"),
                bench.app(common, sink, name=COMMON, kind="common", predictor="folded"),
                bench.app(common, sink, name=COMMON_SKLEARN, kind="common", predictor="scikit-learn"),
            )
        ]
        try:
            servers.append(stack.enter_context(bench.mlserver(python_of(MLSERVER_ENVIRONMENT, say))))
        except EnvironmentNotBuilt as error:
            absent = str(error)
        requests = {server.name: tensors if server.name == MLSERVER else bodies for server in servers}
        rounds: dict[str, list[Cost]] = {server.name: [] for server in servers}
        for server in servers:
            press(bench.cores, server, sink, requests[server.name], connections=CONNECTIONS, seconds=WARM_UP_S)
        for turn in range(ROUNDS):
            say(f"iris, {CONNECTIONS} connections, round {turn + 1} of {ROUNDS}")
            for server in servers:
                cost = press(bench.cores, server, sink, requests[server.name], connections=CONNECTIONS, seconds=SECONDS)
                rounds[server.name].append(cost)
        memory = [_memory(server) for server in servers]
    return [*telemetry(rounds), *throughput(rounds, absent), *memory]


def telemetry(rounds: Rounds) -> list[Figure]:
    """Return what telemetry adds to a request, in processor time: medians of the differences in each round."""
    ours, commons = _added(rounds, OURS, SILENT), _added(rounds, COMMON, BARE)
    whole = _added(rounds, OURS, BARE)
    exported = min(cost.server_spans / cost.requests for cost in rounds[OURS])
    return [
        Figure(
            "time that telemetry adds to a /predict, of what the common stack adds",
            round(ours / commons, 3),
            "ratio",
            0.25,
        ),
        Figure("time that telemetry adds to a /predict", round(ours), "µs"),
        Figure("time that the common stack adds to a bare FastAPI app", round(commons), "µs"),
        Figure(
            "time that the whole service takes beyond a bare FastAPI app, of what the common stack adds",
            round(whole / commons, 3),
            "ratio",
            note="queue, batching, checks and drift are in it too",
        ),
        Figure("server spans at the sink for each request", round(exported, 4), "spans", 1.0, "at least"),
    ]


def throughput(rounds: Rounds, absent: str) -> list[Figure]:
    """Return requests per second beside the others': medians of the ratios in each round."""
    return [
        _times_as_many(rounds, COMMON, 3.0),
        _times_as_many(rounds, COMMON_SKLEARN, None),
        _times_as_many(rounds, MLSERVER, 1.5, absent),
        *(
            Figure(
                f"requests/s of the {name}",
                round(statistics.median(cost.per_s for cost in costs)),
                "1/s",
                note=f"{statistics.median(cost.cpu_us for cost in costs):.0f} µs of processor time each",
            )
            for name, costs in rounds.items()
        ),
    ]


def _times_as_many(rounds: Rounds, other: str, target: float | None, absent: str = "") -> Figure:
    value = None
    if other in rounds:
        pairs = zip(rounds[OURS], rounds[other], strict=True)
        value = round(statistics.median(ours.per_s / theirs.per_s for ours, theirs in pairs), 2)
    name = f"requests/s of the service, of those of the {other}"
    return Figure(name, value, "ratio", target, "at least", absent)


def _added(rounds: Rounds, more: str, less: str) -> float:
    """Return what ``more`` takes beyond ``less``, in µs of processor time for each request."""
    pairs = zip(rounds[more], rounds[less], strict=True)
    return statistics.median(one.cpu_us - other.cpu_us for one, other in pairs)


def _memory(server: Server) -> Figure:
    return Figure(f"peak memory of the {server.name}", round(server.peak_bytes() / 1e6), "MB")
