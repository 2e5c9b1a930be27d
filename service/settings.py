"""Settings of the service, read once from the environment and ``.env``. A bad value stops the start and is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from service.errors import BadSettings

URL, URL_OR_NONE = r"^https?://[^/]", r"^(https?://[^/]|$)"
PAIRS = r"^$|^\s*[^\s=,]+\s*=[^,]*(,\s*[^\s=,]+\s*=[^,]*)*,?\s*$"
SECRETS = frozenset({"CONTROL_TOKEN", "OTEL_EXPORTER_OTLP_HEADERS"})
"""Settings whose values are never shown."""
Sampler = Literal[
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
]
Names = Annotated[tuple[str, ...], NoDecode]
Uris = Annotated[tuple[tuple[str, str], ...], NoDecode]


class Settings(BaseSettings):
    """Every setting: its name in the environment is the field's name in capitals."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        protected_namespaces=(),
        validate_default=True,
    )

    app_name: str = Field(default="firedrill-service", min_length=1, description="Name in `/` and the info metric.")
    app_version: str = Field(default="0.1.0", min_length=1, description="Version in `/` and the info metric.")
    app_description: str = Field(default="Instrumented ML inference service.", description="One sentence for `/docs`.")
    host: str = Field(default="127.0.0.1", min_length=1, description="Address to listen on.")
    port: int = Field(default=8000, ge=0, le=65535, description="TCP port to listen on; 0 takes a free one.")
    log_level: Literal["debug", "info", "warning", "error", "critical"] = Field(
        default="info", description="Lowest level that is logged."
    )
    log_format: Literal["json", "text"] = Field(default="json", description="One JSON object a line, or text.")
    log_output: Literal["stdout", "file"] = Field(default="stdout", description="Where log lines go.")
    log_file: Path = Field(default=Path("service.log"), description="The file of `LOG_OUTPUT=file`; appended to.")
    model_name: str = Field(default="iris", min_length=1, description="Model behind `POST /predict`.")
    models: Names = Field(
        default=("iris", "churn", "housing", "exchange-rate"), description="Served models, separated by commas."
    )
    model_warmup: bool = Field(default=True, description="Predict once with each model before the start is over.")
    model_device: Literal["cpu", "cuda"] = Field(default="cpu", description="Device of models that can choose one.")
    model_uris: Uris = Field(
        default=(), description="Models that come from an MLflow registry, such as `iris=models:/flowers@champion`."
    )
    torch_threads: int = Field(default=1, ge=1, le=64, description="Threads of one prediction of a torch model.")
    resnet50_weights: str = Field(
        default="", description="`V1` or `V2` (official, fetched once), a weight file, or `seeded` (random)."
    )
    artifacts_dir: Path = Field(default=Path("artifacts"), description="Folder of trained models.")
    enable_metrics: bool = Field(default=True, description="Serve `/metrics`.")
    dialects_dir: Path | None = Field(
        default=None, description="Folder of more dialects for `/metrics?dialect=`, one YAML file each."
    )
    control_token: SecretStr = Field(
        default=SecretStr(""), description="Bearer token of the model repository below `/v2`; none closes it."
    )
    enable_tracing: bool = Field(default=True, description="Record spans; send spans and log records.")
    otel_exporter_otlp_endpoint: str = Field(
        default="http://127.0.0.1:4318", pattern=URL, description="Base URL that spans and logs are sent to."
    )
    otel_exporter_otlp_protocol: Literal["http/protobuf", "grpc"] = Field(
        default="http/protobuf", description="How they are sent."
    )
    otel_exporter_otlp_traces_endpoint: str = Field(
        default="", pattern=URL_OR_NONE, description="Whole URL for spans, where it is another one."
    )
    otel_exporter_otlp_logs_endpoint: str = Field(
        default="", pattern=URL_OR_NONE, description="Whole URL for log records, where it is another one."
    )
    otel_exporter_otlp_headers: str = Field(
        default="", pattern=PAIRS, description="Headers sent along, `name=value` separated by commas, percent-encoded."
    )
    otel_exporter_otlp_timeout: int = Field(
        default=10_000, ge=100, le=600_000, description="Milliseconds that an export may take, retries included."
    )
    otel_exporter_otlp_compression: Literal["none", "gzip"] = Field(
        default="none", description="How exports are compressed."
    )
    otel_exporter_otlp_certificate: Path | None = Field(
        default=None, description="PEM file of the authority that signed an `https` collector's certificate."
    )
    otel_exporter_otlp_client_key: Path | None = Field(default=None, description="PEM file of our own key, for mTLS.")
    otel_exporter_otlp_client_certificate: Path | None = Field(
        default=None, description="PEM file of our own certificate, for mTLS."
    )
    otel_traces_exporter: Literal["otlp", "none"] = Field(default="otlp", description="Whether spans are sent.")
    otel_logs_exporter: Literal["otlp", "none"] = Field(default="otlp", description="Whether log records are sent.")
    otel_traces_sampler: Sampler = Field(default="parentbased_always_on", description="Which traces are recorded.")
    otel_traces_sampler_arg: float = Field(
        default=1.0, ge=0.0, le=1.0, description="Share of traces that a `traceidratio` sampler records."
    )
    otel_resource_attributes: str = Field(
        default="", pattern=PAIRS, description="More attributes of the sender, written as the headers are."
    )
    otel_bsp_schedule_delay: int = Field(
        default=1000, ge=10, le=60_000, description="Milliseconds between two exports, of spans and of logs."
    )
    otel_bsp_max_queue_size: int = Field(
        default=8192, ge=1, le=1_000_000, description="Waiting spans, or log records, at which more are dropped."
    )
    otel_bsp_max_export_batch_size: int = Field(
        default=2048, ge=1, le=100_000, description="Most spans, or log records, in one export."
    )
    otel_service_name: str = Field(default="firedrill", min_length=1, description="`service.name` of spans and logs.")
    otel_service_version: str = Field(default="0.1.0", min_length=1, description="`service.version` of both.")
    max_queue_size: int = Field(default=100, ge=1, le=100_000, description="Predictions waiting or running, at most.")
    inference_workers: int = Field(
        default=16, ge=1, le=256, description="Calls of models running at the same time, at most."
    )
    max_batch_size: int = Field(
        default=64, ge=1, le=4096, description="Most rows of several requests in one call of a model; 1: no batching."
    )
    batch_window_ms: float = Field(
        default=0.0, ge=0.0, le=1000.0, description="Milliseconds that an idle model waits for more requests."
    )
    request_timeout: float = Field(default=30.0, gt=0.0, le=3600.0, description="Seconds until a prediction is a 504.")
    max_body_bytes: int = Field(default=1_048_576, ge=1, description="Largest request body in bytes.")
    max_image_bytes: int = Field(default=10_485_760, ge=1, description="Largest upload of a picture in bytes.")
    max_image_pixels: int = Field(default=16_000_000, ge=1, description="Most pixels of a picture.")
    max_rows: int = Field(default=256, ge=1, le=100_000, description="Most rows in one request.")
    graceful_shutdown_timeout: int = Field(
        default=10, ge=0, le=600, description="Seconds that requests in flight get to finish."
    )
    workers: int = Field(default=1, ge=1, le=16, description="Replicas: processes that share `PORT`.")
    replica_port: int = Field(
        default=8620, ge=1, le=65520, description="First of the replicas' own ports, where each has its metrics."
    )
    reload: bool = Field(default=False, description="Restart when the code changes, for development.")
    debug: bool = Field(default=False, description="Log at level debug, and name the exception in a 500 answer.")
    cors_origins: Names = Field(default=(), description="Origins that browsers may call from, separated by commas.")

    @field_validator("models", "cors_origins", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        """Take ``a,b`` as well as a JSON list."""
        if not isinstance(value, str):
            return value
        text = value.strip()
        if text.startswith("["):
            return json.loads(text)
        return [part.strip() for part in text.split(",") if part.strip()]

    @field_validator("model_uris", mode="before")
    @classmethod
    def _pairs(cls, value: Any) -> Any:
        """Take ``name=uri,name=uri``."""
        if not isinstance(value, str):
            return value
        pairs = [part.strip().partition("=") for part in value.split(",") if part.strip()]
        if any(not name or not uri.startswith("models:/") for name, _, uri in pairs):
            raise ValueError("write MODEL=models:/NAME/VERSION, /STAGE, /latest or @ALIAS, separated by commas")
        return tuple((name.strip(), uri.strip()) for name, _, uri in pairs)

    @field_validator("log_level", "log_format", "log_output", "model_device", "otel_traces_sampler", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @model_validator(mode="after")
    def _default_is_served(self) -> Settings:
        if not self.models:
            raise ValueError("MODELS: name at least one model")
        if len(set(self.models)) != len(self.models):
            raise ValueError(f"MODELS: {','.join(self.models)!r} names a model twice")
        for name, uri in self.model_uris:
            if name not in self.models:
                raise ValueError(f"MODEL_URIS: {name}={uri}: {name!r} is not among MODELS ({', '.join(self.models)})")
        if self.model_name not in self.models:
            raise ValueError(f"MODEL_NAME: {self.model_name!r} is not among MODELS ({', '.join(self.models)})")
        return self

    @model_validator(mode="after")
    def _replicas_can_share(self) -> Settings:
        if self.workers > 1 and (self.port == 0 or self.reload):
            raise ValueError(f"WORKERS={self.workers}: replicas need a PORT other than 0 and no RELOAD")
        return self


def load_settings(**overrides: Any) -> Settings:
    """Return the environment's settings under ``overrides`` by field name; raise ``BadSettings`` with every problem."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise BadSettings(_problem(detail) for detail in error.errors(include_url=False)) from None


def _problem(detail: Any) -> str:
    """Return one problem as ``KEY='value': what was expected``."""
    message = str(detail["msg"]).removeprefix("Value error, ")
    if not detail["loc"]:
        return message
    key = str(detail["loc"][0]).upper()
    value = "'…'" if key in SECRETS else repr(detail["input"])
    return f"{key}={value}: {message[:1].lower()}{message[1:]}"
