"""The service's side of the canned stack: what it says of its models, and what it predicts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Headers = Mapping[str, str]
Body = Mapping[str, object]
REQUEST_ID, TRACE_ID = "canned-request", f"{3:032x}"


def model(
    name: str, form: str, features: Mapping[str, tuple[float, float]], *, classes: Sequence[str] = ()
) -> dict[str, object]:
    """Return what ``/model-info`` says of a loaded model; ``features`` gives the least and the most in training."""
    middles = [(low + high) / 2 for low, high in features.values()]
    return {
        "name": name, "title": f"{name.capitalize()}, a canned model", "version": "1.0.0", "loaded": True,
        "input": {
            "form": form, "shape": [8, 8] if form == "image" else [len(features)],
            "full_scale": 16.0 if form == "image" else None,
        },
        "features": [
            {"name": each, "minimum": low, "maximum": high, "mean": (low + high) / 2, "std": (high - low) / 4}
            for each, (low, high) in features.items()
        ],
        "classes": list(classes), "trained_at": "2026-11-01T08:00:00Z", "sha256": "ab" * 32,
        "data_origin": "canned", "training_flagged_share": 0.02,
        "examples": [[6.0] * 64] * 3 if form == "image" else [middles, [value * 1.05 for value in middles]],
    }  # fmt: skip


def served() -> list[dict[str, object]]:
    """Return a model of every form of input."""
    sizes = {"sepal_length": (4.3, 7.9), "sepal_width": (2.0, 4.4), "petal_length": (1.0, 6.9), "petal_width": (0, 2.5)}
    rooms = ["crim", "zn", "indus", "chas", "nox", "rm", "age", "dis", "rad", "tax", "ptratio", "b", "lstat"]
    return [
        model("iris", "rows", sizes, classes=("setosa", "versicolor", "virginica")),
        model("churn", "rows", {"tenure": (0, 72), "monthly_charges": (18, 119)}, classes=("stays", "leaves")),
        model("housing", "fields", {name: (0.0, 10.0 + place) for place, name in enumerate(rooms)}),
        model("exchange-rate", "history", {f"lag_{place}": (0.8, 0.95) for place in (1, 2, 3)}),
        model("digits", "image", {"mean": (2.0, 8.0), "spread": (3.0, 7.0)}, classes=[str(d) for d in range(10)]),
    ]


@dataclass
class CannedService:
    """A service with ``models``; ``refuse`` is the status, type and message of the answer to every prediction."""

    models: list[dict[str, object]] = field(default_factory=list)
    refuse: tuple[int, str, str] | None = None
    predicted: list[tuple[str, str]] = field(default_factory=list)
    """The model and the raw body of each prediction that was asked for."""

    def answer(self, method: str, path: str, raw: str) -> tuple[int, object, Headers]:
        """Answer as the service does; text is the answer of ``/metrics``."""
        headers = {"X-Request-ID": REQUEST_ID, "X-Trace-ID": TRACE_ID}
        names = [str(each["name"]) for each in self.models]
        if method == "POST" and path.split("/")[1] == "predict":
            name = path.removeprefix("/predict").removeprefix("/") or next(iter(names), "")
            self.predicted.append((name, raw))
            return (*self._predict(name, raw), headers)
        known: dict[str, object] = {
            "/model-info": {"default": next(iter(names), ""), "models": self.models},
            "/health": {"status": "healthy", "model_loaded": True, "timestamp": "2026-11-01T08:00:00Z"},
            "/ready": {"status": "ready", "model_loaded": True, "timestamp": "2026-11-01T08:00:00Z"},
            "/metrics": self._metrics(names),
        }
        if path in known:
            return 200, known[path], headers
        return 404, _error("not_found", f"there is no {path}"), headers

    def _predict(self, name: str, raw: str) -> tuple[int, object]:
        if self.refuse is not None:
            status, kind, message = self.refuse
            return status, _error(kind, message)
        about = next((each for each in self.models if each["name"] == name), None)
        if about is None:
            return 404, _error("unknown_model", f"there is no model {name!r}")
        form = about["input"]["form"]  # type: ignore[index]
        if form == "image":
            return 200, {"prediction": "7", "confidence": 0.93, "request_id": REQUEST_ID}
        if form == "fields":
            about_it = {"app_version": "1", "model_version": "1.0.0", "timestamp_utc": "2026-11-01T08:00:00Z"}
            return 200, {"prediction": 24.38, "metadata": about_it}
        if form == "history":
            return 200, {"prediction": 0.8712, "request_id": REQUEST_ID}
        body = json.loads(raw)
        rows = len(body["features"]) if "features" in body else 1
        classes: Sequence[str] = about["classes"]  # type: ignore[assignment]
        answer = {"predictions": [0] * rows, "classes": [classes[0]] * rows, "confidence": [0.97] * rows}
        return 200, answer | {"request_id": REQUEST_ID}

    def _metrics(self, names: Sequence[str]) -> str:
        lines = ["# HELP prediction_requests_total Prediction requests.", "# TYPE prediction_requests_total counter"]
        for name in names:
            asked = sum(each == name for each, _ in self.predicted)
            lines.append(f'prediction_requests_total{{model_name="{name}",model_version="1.0.0"}} {asked}.0')
        return "\n".join(lines) + "\n"


def _error(kind: str, message: str) -> dict[str, object]:
    return {"error": {"type": kind, "message": message, "request_id": REQUEST_ID}}
