"""What micro-batching gains: the digits model for many clients at once, with it and without.

Pictures go as rows of pixels: unpacking an upload is not the model's work, and nothing to batch.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable

from panel.bench.figures import Figure
from panel.bench.service.bodies import pixel_requests
from panel.bench.service.contenders import Bench
from panel.bench.service.pressure import Cost, press
from panel.bench.service.processes import Server

ROUNDS = 3
SECONDS = 1.5
WARM_UP_S = 0.7
CLIENTS = 32
MODEL = "digits"


def measure(bench: Bench, sink: Server, say: Callable[[str], None]) -> list[Figure]:
    """Load both services in turn and compare."""
    only = {"MODELS": MODEL, "MODEL_NAME": MODEL}
    with (
        bench.service(sink, name="batched digits", settings=only) as batched,
        bench.service(sink, name="unbatched digits", settings={**only, "MAX_BATCH_SIZE": "1"}) as unbatched,
    ):
        requests = pixel_requests(batched)
        rounds: dict[str, list[Cost]] = {batched.name: [], unbatched.name: []}
        for turn in range(-1, ROUNDS):
            say(f"digits, {CLIENTS} connections, " + (f"round {turn + 1} of {ROUNDS}" if turn >= 0 else "warm-up"))
            for server in (batched, unbatched):
                seconds = SECONDS if turn >= 0 else WARM_UP_S
                cost = press(bench.cores, server, sink, requests, connections=CLIENTS, seconds=seconds)
                if turn >= 0:
                    rounds[server.name].append(cost)
        pairs = zip(rounds[batched.name], rounds[unbatched.name], strict=True)
        ratio = statistics.median(one.per_s / other.per_s for one, other in pairs)
        return [
            Figure(
                f"requests/s of {MODEL} at {CLIENTS} clients, batched of those unbatched",
                round(ratio, 2),
                "ratio",
                3.0,
                "at least",
            ),
            Figure("requests answered by one call of the batched model, mean", _batch_size(batched), "requests"),
            *(
                Figure(
                    f"requests/s of {name}",
                    round(statistics.median(cost.per_s for cost in costs)),
                    "1/s",
                    note=f"{statistics.median(cost.cpu_us for cost in costs):.0f} µs of processor time each",
                )
                for name, costs in rounds.items()
            ),
            *(
                Figure(f"peak memory of {server.name}", round(server.peak_bytes() / 1e6), "MB")
                for server in (batched, unbatched)
            ),
        ]


def _batch_size(server: Server) -> float:
    """Return how many requests a call of the model answered, on average since the start."""
    sums = {b"sum": 0.0, b"count": 0.0}
    for line in server.get("/metrics").splitlines():
        name, _, rest = line.partition(b"{")
        kind = name.removeprefix(b"inference_batch_size_")
        if kind in sums and kind != name:
            sums[kind] += float(rest.rpartition(b" ")[2])
    return round(sums[b"sum"] / sums[b"count"], 1)
