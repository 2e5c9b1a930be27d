"""Model load failure: the service really loads a broken copy of a model's artifact.

The broken copy lies in this process's scratch folder and is made when the service asks for the artifact; the artifact
store is only read. A copy holds every small file of the artifact and a model file that is absent, cut short, altered,
or asks for more memory than any machine has.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import pickle
import random
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar, Literal

from pydantic import Field

from faults.base import Effect, Fault, Host, Parameters, Point, Preset, Target, register
from faults.errors import FaultError

MANIFEST = "manifest.json"
IMPOSSIBLE_BYTES = 2**62

Reason = Literal["missing_file", "damaged_file", "hash_mismatch", "out_of_memory"]


class ModelStillMissing(FaultError):  # noqa: N818 - reads as a fact where it is raised
    """A model did not load again after its load failure was taken back."""

    def __init__(self, models: list[str]) -> None:
        super().__init__(f"did not load again: {', '.join(models)}; the service's log says why")


class LoadUnimpressed(FaultError):  # noqa: N818 - as above
    """The service loaded the broken copy as if nothing were wrong, or never asked for it."""

    def __init__(self, model: str, reason: Reason) -> None:
        super().__init__(f"the load of {model!r} did not fail with {reason}; is its artifact laid out as expected?")


class HungryPickle:
    """Unpickling it asks for ``IMPOSSIBLE_BYTES`` and so raises a real ``MemoryError``, at once."""

    def __reduce__(self) -> tuple[type[bytearray], tuple[int]]:
        return bytearray, (IMPOSSIBLE_BYTES,)


def hungry_state_dict() -> bytes:
    """Return a file of torch's whose one tensor asks for ``IMPOSSIBLE_BYTES``, written without torch.

    It is of the older of torch's two formats, in which a storage is allocated before its bytes are read: the pickles of
    a magic number, a protocol version and a note on the system, then the object, here a reference to a storage
    (torch/serialization.py, ``_legacy_load``).
    """
    items = IMPOSSIBLE_BYTES // 4
    number = items.to_bytes(items.bit_length() // 8 + 1, "little", signed=True)
    reference = b"".join(
        (
            pickle.PROTO + b"\x02" + pickle.MARK,
            pickle.BINUNICODE + (7).to_bytes(4, "little") + b"storage",
            pickle.GLOBAL + b"torch\nFloatStorage\n",
            *(pickle.BINUNICODE + len(word).to_bytes(4, "little") + word for word in (b"0", b"cpu")),
            pickle.LONG1 + bytes([len(number)]) + number + pickle.NONE,
            pickle.TUPLE + pickle.BINPERSID + pickle.STOP,
        )
    )
    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    return b"".join(pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, system)) + reference


class ModelLoadFailureParameters(Parameters):
    """What is wrong with the artifact, and when the service notices."""

    reason: Reason = Field(default="damaged_file", description="What the real load path runs into.")
    when: Literal["reload", "cold"] = Field(
        default="reload",
        description="reload: a loaded model keeps serving while its reloads fail; cold: it is unloaded first.",
    )
    retry_every_s: float = Field(
        default=2.0, ge=0.2, le=600.0, description="Seconds between further attempts to load, each of which fails."
    )


@register
class ModelLoadFailure(Fault[ModelLoadFailureParameters]):
    """Swaps the artifact folder under the load path and has the service load it, again and again until it ends."""

    kind = "model_load_failure"
    title = "Model load failure"
    summary = "Loading a model fails: its file is missing, damaged, altered, or does not fit into memory."
    parameters_type = ModelLoadFailureParameters
    needs_models = True
    effect = Effect(
        promql='sum(increase(model_load_failures_total{job="firedrill"}[1m]))',
        moves="up",
        meaning="failed model loads in the last minute",
        unit="1",
    )
    presets: ClassVar[Mapping[str, Preset]] = MappingProxyType(
        {
            "Damaged file at reload": Preset(parameters={"reason": "damaged_file", "when": "reload"}),
            "Model gone at start": Preset(parameters={"reason": "missing_file", "when": "cold"}),
            "Altered artifact": Preset(parameters={"reason": "hash_mismatch", "when": "reload"}),
            "Out of memory": Preset(parameters={"reason": "out_of_memory", "when": "cold"}),
        }
    )

    def __init__(self, parameters: ModelLoadFailureParameters, target: Target, rng: random.Random) -> None:
        super().__init__(parameters, target, rng)
        self._overlays: Path | None = None
        self._stop = asyncio.Event()
        self._retries: asyncio.Task[None] | None = None
        self._touched: set[str] = set()
        self._hit: set[str] = set()
        # copies that are there, with the artifact that each was made of and when that was changed last
        self._broken: dict[Path, tuple[Path, int]] = {}

    def points(self, host: Host) -> frozenset[Point]:
        """Act on model loads."""
        return frozenset({"load"})

    async def apply(self, host: Host) -> None:
        """Have every targeted model loaded from a broken copy, and go on trying until rollback."""
        self._overlays = host.scratch / "overlays" / f"{id(self):x}"
        models = [name for name in host.models if self.target.model in (None, name)]
        for name in models:
            self._touched.add(name)
            if self.parameters.when == "cold":
                await host.unload_model(name)
            loaded = await host.reload_model(name)
            if loaded and name in self._hit:
                raise LoadUnimpressed(name, self.parameters.reason)
        self._retries = asyncio.get_running_loop().create_task(self._retry(host, models))

    async def _retry(self, host: Host, models: list[str]) -> None:
        while not self._stop.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.parameters.retry_every_s):
                    await self._stop.wait()
            for name in models:
                if not self._stop.is_set():
                    await host.reload_model(name)

    async def rollback(self, host: Host) -> None:
        """Remove the broken copies and load the real artifacts again; raise where one does not load."""
        self._stop.set()
        if self._retries is not None:
            await asyncio.wait({self._retries})
        if self._overlays is not None and self._overlays.exists():
            shutil.rmtree(self._overlays)
        missing = []
        for name in sorted(self._touched):
            if await host.reload_model(name) or _overlaid(host, name):
                self._touched.discard(name)
            else:
                missing.append(name)
        if missing:
            raise ModelStillMissing(missing)

    def on_load(self, model: str, directory: Path) -> Path:
        """Return a broken copy of ``directory``, made anew where that has changed."""
        if self._overlays is None or not directory.is_dir():
            return directory
        copy = self._overlays / model / directory.name
        self._hit.add(model)
        made_of = (directory, directory.stat().st_mtime_ns)
        if self._broken.get(copy) == made_of:
            return copy
        if copy.exists():
            shutil.rmtree(copy)
        copy.mkdir(parents=True)
        break_artifact(directory, copy, self.parameters.reason)
        self._broken[copy] = made_of
        return copy


def break_artifact(source: Path, copy: Path, reason: Reason) -> None:
    """Fill the empty folder ``copy`` with the artifact ``source``, its model file broken by ``reason``.

    The manifest's hash follows the model file where the file itself is what shall fail, and stays where the hash is.
    An artifact that is already broken (no manifest, no model file) is copied as it is.
    """
    for file in source.iterdir():
        if file.is_file() and not file.name.startswith("model."):
            shutil.copyfile(file, copy / file.name)
    for model in source.glob("model.*"):
        if reason == "missing_file":
            continue
        broken = copy / model.name
        if reason == "out_of_memory":
            broken.write_bytes(hungry_state_dict() if model.suffix == ".pt" else pickle.dumps(HungryPickle()))
        else:
            whole = model.read_bytes()
            broken.write_bytes(whole + b"\0" if reason == "hash_mismatch" else whole[: len(whole) // 2])
        if reason != "hash_mismatch":
            _record_hash(copy / MANIFEST, broken)


def _record_hash(manifest: Path, file: Path) -> None:
    """Write the SHA-256 of ``file`` into the manifest's table of files."""
    if not manifest.is_file():
        return
    content = json.loads(manifest.read_text(encoding="utf-8"))
    content["files"][file.name] = hashlib.sha256(file.read_bytes()).hexdigest()
    manifest.write_text(json.dumps(content), encoding="utf-8")


def _overlaid(host: Host, model: str) -> bool:
    """Return whether another load failure holds ``model``: then its failing to load is that one's doing."""
    return any((host.scratch / "overlays").glob(f"*/{model}/*"))
