"""Where ResNet-50's weights come from: the official files, fetched on demand, a file of one's own, or a seed."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from service.errors import WeightsUnavailable
from service.models.base import Options

if TYPE_CHECKING:
    from torch import nn

OFFICIAL: Mapping[str, str] = MappingProxyType({"V1": "resnet50-0676ba61.pth", "V2": "resnet50-11ad3fa6.pth"})
"""Official files by their version. The digits of a name are the first of the file's SHA-256."""
ADDRESS = "https://download.pytorch.org/models/"
SEEDED = "seeded"
TIMEOUT_S = 30.0
_HASHED = re.compile(r"-([0-9a-f]{8,64})\.(?:pth|pt)$")


def weights_of(options: Options, network: Callable[[], nn.Module], seed: int) -> nn.Module:
    """Return the network with the weights that the settings name; raise ``WeightsUnavailable``.

    Nothing is fetched unless ``RESNET50_WEIGHTS`` is ``V1`` or ``V2``, and then once.
    """
    import torch  # noqa: PLC0415 - a second of import, for services with torch models alone

    chosen = options.resnet50_weights
    if not chosen:
        raise WeightsUnavailable("none are chosen")
    if chosen == SEEDED:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return network()
    path = official(OFFICIAL[chosen], options.downloads / "weights") if chosen in OFFICIAL else Path(chosen)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise WeightsUnavailable(f"{path}: {error.strerror}") from None
    check_hash(path, content)
    with torch.device("meta"):
        empty = network()
    try:
        empty.load_state_dict(torch.load(BytesIO(content), map_location="cpu", weights_only=True), assign=True)
    except Exception as error:
        raise WeightsUnavailable(f"{path} is no state dict of ResNet-50: {error}") from error
    return empty


def check_hash(path: Path, content: bytes) -> None:
    """Raise ``WeightsUnavailable`` where the name of ``path`` tells a hash and the content has another."""
    told = _HASHED.search(path.name)
    actual = hashlib.sha256(content).hexdigest()
    if told and not actual.startswith(told[1]):
        raise WeightsUnavailable(f"{path} has SHA-256 {actual[:12]}…, its name says {told[1]}")


def official(name: str, folder: Path, address: str = ADDRESS) -> Path:
    """Return the official file ``name`` in ``folder``, fetched if it is not there; raise ``WeightsUnavailable``.

    It is fetched aside, checked against the hash in its name, and renamed.
    """
    final = folder / name
    if final.is_file():
        return final
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".partial-{os.getpid()}-{name}"
    try:
        with urllib.request.urlopen(address + name, timeout=TIMEOUT_S) as source, partial.open("wb") as target:
            shutil.copyfileobj(source, target)
        check_hash(final, partial.read_bytes())
        partial.replace(final)
    except (OSError, urllib.error.URLError) as error:
        raise WeightsUnavailable(f"{address}{name} cannot be fetched: {error}") from None
    finally:
        partial.unlink(missing_ok=True)
    return final
