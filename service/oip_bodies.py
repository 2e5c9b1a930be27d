"""Request and answer bodies of the Open Inference Protocol, as pydantic sees them."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StrictBool

Parameters = dict[str, JsonValue]


class TensorForm(BaseModel):
    """An input tensor of a request."""

    name: str
    shape: list[Annotated[int, Field(ge=0, le=2**31)]] = Field(min_length=1, max_length=8)
    datatype: str
    parameters: Parameters = {}
    data: list[JsonValue] | None = None


class RequestedOutput(BaseModel):
    """An output tensor that a request asks for."""

    name: str
    parameters: Parameters = {}


class InferForm(BaseModel):
    """A request to infer; parameters that say nothing here are ignored."""

    model_config = ConfigDict(extra="ignore")

    id: str | None = None
    parameters: Parameters = {}
    inputs: list[TensorForm] = Field(min_length=1)
    outputs: list[RequestedOutput] = []


class TensorAnswer(BaseModel):
    """An output tensor; ``data`` is missing where it follows as raw bytes."""

    name: str
    shape: list[int]
    datatype: str
    parameters: Parameters | None = None
    data: list[JsonValue] | None = None


class InferAnswer(BaseModel):
    """The answer to a request to infer."""

    model_name: str
    model_version: str
    id: str | None = None
    outputs: list[TensorAnswer]


class TensorDescription(BaseModel):
    """A tensor that a model takes or gives; -1 stands for any number of rows."""

    name: str
    datatype: str
    shape: list[int]


class OipError(BaseModel):
    """Every error answer of this protocol."""

    error: str


class ServerLive(BaseModel):
    """Answer of ``/v2/health/live``."""

    live: bool


class ServerReady(BaseModel):
    """Answer of ``/v2/health/ready``."""

    ready: bool


class ServerMetadata(BaseModel):
    """Answer of ``/v2``."""

    name: str
    version: str
    extensions: list[str]


class ModelReady(BaseModel):
    """Answer of ``/v2/models/{model}/ready``."""

    name: str
    ready: bool


class ModelMetadata(BaseModel):
    """Answer of ``/v2/models/{model}``."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorDescription]
    outputs: list[TensorDescription]


class IndexForm(BaseModel):
    """Body of ``/v2/repository/index``."""

    ready: StrictBool = False


class IndexEntry(BaseModel):
    """One model of the repository."""

    name: str
    version: str
    state: str
    reason: str
