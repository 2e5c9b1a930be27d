"""What the benchmark starts: the service as it is and without its telemetry, the apps that others build, the sink."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from panel.bench.service.processes import Cores, Server, free_port, serving
from panel.commands.console import CommandError

PROGRAMS = Path(__file__).parent / "programs"
OURS, SILENT, BARE, COMMON, COMMON_SKLEARN, MLSERVER = (
    "service",
    "service without telemetry",
    "bare FastAPI app",
    "common stack",
    "common stack, scikit-learn's predict_proba",
    "MLServer",
)
ROOT = Path(__file__).parents[3]
_DEFAULTS: Mapping[str, str] = MappingProxyType({})


class TrainingFailed(CommandError):  # noqa: N818 - reads as a fact where it is raised
    """The models that the benchmark needs were not trained."""

    def __init__(self, said: str) -> None:
        super().__init__(f"the benchmark could not train the models: {said.strip()}")


@dataclass(frozen=True)
class Bench:
    """Where one run of the benchmark keeps its files, and which cores it uses."""

    folder: Path
    cores: Cores

    @property
    def artifacts(self) -> Path:
        """Models trained for this run."""
        return self.folder / "artifacts"

    @property
    def iris(self) -> Path:
        """The folder of the iris artifact."""
        return next((self.artifacts / "iris").iterdir())

    def train(self, *names: str) -> tuple[str, ...]:
        """Train the named models, else every one that trains from what is here, and return what is there.

        Raises ``TrainingFailed``.
        """
        done = subprocess.run(
            [sys.executable, "-m", "service.train", *names],
            env={**os.environ, **python_path(), "ARTIFACTS_DIR": str(self.artifacts)},
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise TrainingFailed(done.stderr)
        return tuple(sorted(folder.name for folder in self.artifacts.iterdir()))

    def sink(self) -> AbstractContextManager[Server]:
        """Run the OTLP sink, on the core of the load."""
        port = free_port()
        command = [sys.executable, "-m", "panel.bench.service.programs.sink", str(port)]
        return serving(
            "sink",
            command,
            port=port,
            ready="/",
            core=self.cores.load,
            folder=self.folder,
            environment=python_path(),
        )

    def service(
        self, sink: Server, *, name: str = OURS, silent: bool = False, settings: Mapping[str, str] = _DEFAULTS
    ) -> AbstractContextManager[Server]:
        """Run the service, every trace exported to ``sink`` and JSON logs written; ``silent`` without telemetry."""
        port = free_port()
        module = "panel.bench.service.programs.silent_service" if silent else "service"
        quiet = {"LOG_LEVEL": "critical", "ENABLE_TRACING": "false"} if silent else {}
        environment = {
            **python_path(),
            "PORT": str(port),
            "ARTIFACTS_DIR": str(self.artifacts),
            "OTEL_EXPORTER_OTLP_ENDPOINT": sink.url,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            **quiet,
            **settings,
        }
        return self._run(name, [sys.executable, "-m", module], port, ready="/ready", environment=environment)

    def app(
        self, python: Path, sink: Server, *, name: str, kind: str, predictor: str
    ) -> AbstractContextManager[Server]:
        """Run the iris model behind FastAPI, ``kind`` bare or common, with the artifact that the service serves."""
        port = free_port()
        model = self.iris / "model.joblib"
        program = str(PROGRAMS / "fastapi_app.py")
        command = [str(python), program, kind, predictor, str(port), str(model), sink.url]
        return self._run(name, command, port, ready="/health", environment={})

    def mlserver(self, python: Path) -> AbstractContextManager[Server]:
        """Run MLServer with the iris artifact that the service serves, in one process, without its debug mode."""
        port = free_port()
        folder = self.folder / "mlserver"
        (folder / "iris").mkdir(parents=True)
        settings = {
            "debug": False,
            "parallel_workers": 0,
            "host": "127.0.0.1",
            "http_port": port,
            "grpc_port": free_port(),
            "metrics_port": free_port(),
            "metrics_dir": str(folder / "metrics"),
        }
        (folder / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
        model = {
            "name": "iris",
            "implementation": "mlserver_sklearn.SKLearnModel",
            "parameters": {"uri": str(self.iris / "model.joblib"), "version": "1"},
        }
        (folder / "iris" / "model-settings.json").write_text(json.dumps(model), encoding="utf-8")
        command = [str(python.with_name("mlserver")), "start", str(folder)]
        return self._run(MLSERVER, command, port, ready="/v2/health/ready", environment={})

    def _run(
        self, name: str, command: Sequence[str], port: int, *, ready: str, environment: Mapping[str, str]
    ) -> AbstractContextManager[Server]:
        return serving(
            name,
            command,
            port=port,
            ready=ready,
            core=self.cores.server,
            folder=self.folder,
            environment=environment,
        )


def python_path() -> dict[str, str]:
    """Return what lets a process that runs elsewhere import Firedrill."""
    return {"PYTHONPATH": str(ROOT)}
