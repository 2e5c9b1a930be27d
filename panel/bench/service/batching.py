"""What micro-batching gains: the digits model for many clients at once, with it and without.

Pictures go as rows of pixels: unpacking an upload is not the model's work, and nothing to batch.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable

from panel.bench.figures import Figure
from panel.bench.service.bodies import pixel_requests
from panel.bench.service.contenders import Bench
from panel.bench.service.pressure import press
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
        answered: dict[str, list[float]] = {batched.name: [], unbatched.name: []}
        for turn in range(-1, ROUNDS):
            say(f"digits, {CLIENTS} connections, " + (f"round {turn + 1} of {ROUNDS}" if turn >= 0 else "warm-up"))
            for server in (batched, unbatched):
                seconds = SECONDS if turn >= 0 else WARM_UP_S
                cost = press(bench.cores, server, sink, requests, connections=CLIENTS, seconds=seconds)
                if turn >= 0:
                    answered[server.name].append(cost.per_s)
        ratio = statistics.median(
            with_it / without for with_it, without in zip(answered[batched.name], answered[unbatched.name], strict=True)
        )
        return [
            Figure(f"requests/s of {MODEL} batched, of those unbatched", round(ratio, 2), "ratio", 3.0, "at least"),
            *(
                Figure(f"requests/s of {name}", round(statistics.median(rates)), "1/s")
                for name, rates in answered.items()
            ),
            *(
                Figure(f"peak memory of {server.name}", round(server.peak_bytes() / 1e6), "MB")
                for server in (batched, unbatched)
            ),
        ]
