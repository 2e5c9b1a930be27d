"""What can go wrong in the service, and the one place where an error becomes an HTTP status.

ServiceError
├── BadSettings            a setting that stops the start
├── BadDialects            a dialect file that stops the start
├── UnknownProfile         a model that nobody wrote
├── ServerNotStarted       an app that failed in its start
├── PortTaken              a port that the replicas need and somebody has
├── WrongOutput            a model that gives another number of predictions than it was given rows
├── WeightsUnavailable     weights that are not there or not as told
├── CallerGone             nobody waits for the prediction any more
├── DeviceUnavailable      a device that this machine has not
├── ModelLoadFailed        an artifact that was refused, with its reason
└── RequestError           becomes an answer; ``type`` is its name over HTTP
    ├── InvalidInput (and BadImage), UnknownModel, ModelNotLoaded, QueueFull,
    └── RequestTimedOut, PayloadTooLarge, PredictionFailed
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar


class ErrorType(StrEnum):
    """The ``type`` of an error answer."""

    INVALID_INPUT = "invalid_input"
    UNKNOWN_MODEL = "unknown_model"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    MODEL_NOT_LOADED = "model_not_loaded"
    QUEUE_FULL = "queue_full"
    TIMEOUT = "timeout"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    PREDICTION_FAILED = "prediction_failed"
    INTERNAL = "internal"


STATUS: Mapping[ErrorType, int] = MappingProxyType(
    {
        ErrorType.INVALID_INPUT: 422,
        ErrorType.UNKNOWN_MODEL: 404,
        ErrorType.NOT_FOUND: 404,
        ErrorType.METHOD_NOT_ALLOWED: 405,
        ErrorType.MODEL_NOT_LOADED: 503,
        ErrorType.QUEUE_FULL: 503,
        ErrorType.TIMEOUT: 504,
        ErrorType.PAYLOAD_TOO_LARGE: 413,
        ErrorType.PREDICTION_FAILED: 500,
        ErrorType.INTERNAL: 500,
    }
)

_TYPE_OF_STATUS: Mapping[int, str] = MappingProxyType(
    {
        400: ErrorType.INVALID_INPUT,
        404: ErrorType.NOT_FOUND,
        405: ErrorType.METHOD_NOT_ALLOWED,
        413: ErrorType.PAYLOAD_TOO_LARGE,
        422: ErrorType.INVALID_INPUT,
        499: "client_disconnected",
        500: ErrorType.INTERNAL,
        503: "unavailable",
        504: ErrorType.TIMEOUT,
    }
)


def error_type_of(status: int) -> str:
    """Return the ``error_type`` label of an answer whose cause nobody named; a bounded set of values."""
    return _TYPE_OF_STATUS.get(status) or ("client_error" if status < 500 else "server_error")


class LoadFailure(StrEnum):
    """Why an artifact was not loaded: the ``reason`` label."""

    MISSING_FILE = "missing_file"
    DAMAGED_FILE = "damaged_file"
    HASH_MISMATCH = "hash_mismatch"
    OUT_OF_MEMORY = "out_of_memory"
    NO_DEVICE = "no_device"
    OTHER = "other"


class ServiceError(Exception):
    """Base of all errors of this package."""


class BadSettings(ServiceError):  # noqa: N818 - reads as a fact where it is raised
    """Settings that the service cannot start with."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        super().__init__(
            f"bad settings, the service does not start:\n{lines}\nCorrect them in the environment or in .env."
        )


class BadDialects(ServiceError):  # noqa: N818 - as above
    """Dialect files that the service cannot start with."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        super().__init__(f"bad dialects, the service does not start:\n{lines}\nTheir schema is in docs/dialects.md.")


class UnknownProfile(ServiceError):  # noqa: N818 - as above
    """No model profile has that name."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"no model profile {name!r}; known: {', '.join(sorted(known))}")


class ServerNotStarted(ServiceError):  # noqa: N818 - as above
    """A server whose app failed in its start."""

    def __init__(self, address: str) -> None:
        super().__init__(f"the server for {address} did not start; the lines above say why")


class PortTaken(ServiceError):  # noqa: N818 - as above
    """A port that the replicas of this service need cannot be bound."""

    def __init__(self, host: str, port: int, setting: str, reason: str) -> None:
        super().__init__(f"cannot listen on {host}:{port} ({setting}): {reason}; end what holds it or choose another")


class WrongOutput(ServiceError):  # noqa: N818 - as above
    """A model gave another number of predictions than it was given rows, so nobody knows whose they are."""

    def __init__(self, predictions: int, rows: int) -> None:
        super().__init__(f"the model gave {predictions} predictions for {rows} rows")


class WeightsUnavailable(ServiceError):  # noqa: N818 - as above
    """Weights of ResNet-50 that are not there or not what their name says."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"no weights for ResNet-50: {problem}; set RESNET50_WEIGHTS to V1 or V2 (official, fetched once), "
            f"to a weight file, or to seeded (random, for tests)"
        )


class DeviceUnavailable(ServiceError):  # noqa: N818 - as above
    """A device that the settings ask for and this machine has not."""

    def __init__(self, device: str) -> None:
        super().__init__(f"MODEL_DEVICE={device}: torch finds no such device here; set MODEL_DEVICE=cpu")


class ModelLoadFailed(ServiceError):  # noqa: N818 - as above
    """An artifact was refused or could not be read."""

    def __init__(self, model: str, directory: Path, reason: LoadFailure, detail: str) -> None:
        self.model, self.directory, self.reason, self.detail = model, directory, reason, detail
        super().__init__(
            f"model {model!r} was not loaded from {directory} ({reason}): {detail}; "
            f"train it anew with `python -m service.train {model}`"
        )


class CallerGone(ServiceError):  # noqa: N818 - as above
    """Whoever asked for a prediction went away before it was there."""

    def __init__(self) -> None:
        super().__init__("the caller went away before its prediction was there")


class RequestError(ServiceError):
    """An error that is the answer to one request."""

    type: ClassVar[ErrorType] = ErrorType.INTERNAL
    event: ClassVar[str] = "prediction_failed"
    """Name of its log line where a prediction failed by it."""

    @property
    def status(self) -> int:
        """HTTP status of the answer."""
        return STATUS[self.type]

    @property
    def headers(self) -> dict[str, str]:
        """Headers of the answer beyond the usual ones."""
        return {}


class InvalidInput(RequestError):  # noqa: N818 - as above
    """A request body that the model does not take."""

    type = ErrorType.INVALID_INPUT

    def __init__(self, model: str, problems: Iterable[str]) -> None:
        self.model, self.problems = model, tuple(problems)
        super().__init__(f"the input does not fit model {model!r}: {'; '.join(self.problems)}")


class BadImage(InvalidInput):
    """An upload that is no picture which the service decodes."""

    event = "image_preprocess_failed"


class UnknownModel(RequestError):  # noqa: N818 - as above
    """A model that this service does not serve."""

    type = ErrorType.UNKNOWN_MODEL

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"no model {name[:64]!r} here; served models: {', '.join(known)}")


class UnknownDialect(RequestError):  # noqa: N818 - as above
    """A dialect that nobody described."""

    type = ErrorType.NOT_FOUND

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"no dialect {name[:64]!r} here; known: {', '.join(sorted(known))}")


class ModelNotLoaded(RequestError):  # noqa: N818 - as above
    """A model that is served but not loaded now."""

    type = ErrorType.MODEL_NOT_LOADED
    event = "model_not_loaded"

    def __init__(self, name: str) -> None:
        super().__init__(f"model {name!r} is not loaded; the log says why, /ready says when it is back")


class LoadRefused(RequestError):  # noqa: N818 - as above
    """A load that somebody asked for and that failed."""

    type = ErrorType.MODEL_NOT_LOADED

    def __init__(self, name: str) -> None:
        super().__init__(f"model {name!r} was not loaded, the log says why; what served before goes on serving")


class QueueFull(RequestError):  # noqa: N818 - as above
    """More predictions wait or run than the limit."""

    type = ErrorType.QUEUE_FULL

    def __init__(self, limit: int, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(f"{limit} requests are waiting or running, the limit; try again in {retry_after_s} s")

    @property
    def headers(self) -> dict[str, str]:
        """``Retry-After``, in seconds."""
        return {"retry-after": str(self.retry_after_s)}


class RequestTimedOut(RequestError):  # noqa: N818 - as above
    """A prediction that took longer than ``REQUEST_TIMEOUT``."""

    type = ErrorType.TIMEOUT

    def __init__(self, limit_s: float) -> None:
        super().__init__(f"no prediction within {limit_s:g} s (REQUEST_TIMEOUT)")


class PayloadTooLarge(RequestError):  # noqa: N818 - as above
    """A request body over the limit."""

    type = ErrorType.PAYLOAD_TOO_LARGE

    def __init__(self, limit_bytes: int, setting: str = "MAX_BODY_BYTES") -> None:
        super().__init__(f"the request body is larger than {limit_bytes} bytes ({setting})")


class PredictionFailed(RequestError):  # noqa: N818 - as above
    """Something broke between a valid input and its prediction."""

    type = ErrorType.PREDICTION_FAILED

    def __init__(self, model: str, cause: BaseException) -> None:
        self.cause = cause
        super().__init__(f"model {model!r} failed to predict: {type(cause).__name__}: {cause}")


def error_body(error_type: str, message: str, request_id: str, path: str = "") -> bytes:
    """Return an error answer as JSON, ``{"error": {"type", "message", "request_id"}}``.

    Below ``/v2`` it has the shape of the Open Inference Protocol, ``{"error": message}``.
    """
    if path == "/v2" or path.startswith("/v2/"):
        return json.dumps({"error": message}).encode()
    return json.dumps({"error": {"type": error_type, "message": message, "request_id": request_id}}).encode()
