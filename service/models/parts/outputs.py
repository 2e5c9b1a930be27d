"""From what an estimator says to an ``Output``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from service.models.base import Matrix, Output, Predictor


def softmax_output(scores: Matrix, classes: Sequence[str]) -> Output:
    """Return the output of a classifier whose log-odds are ``scores`` (n_rows, n_classes)."""
    shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
    return probability_output(shifted / shifted.sum(axis=1, keepdims=True), classes)


def probability_output(probabilities: Matrix, classes: Sequence[str]) -> Output:
    """Return the output of a classifier whose class probabilities are given (n_rows, n_classes)."""
    best = probabilities.argmax(axis=1).tolist()
    confidence = probabilities.max(axis=1).tolist()
    return Output(
        values=tuple(map(float, best)),
        classes=tuple([classes[index] for index in best]),
        confidence=tuple(confidence),
    )


def regression(predict: Callable[[Matrix], Any] | None) -> Predictor:
    """Return the predictor of a regressor that maps rows (n_rows, n_features) to values (n_rows).

    Raises ``TypeError`` where there is nothing to call.
    """
    if not callable(predict):
        raise TypeError("the estimator has no predict")
    return lambda items: Output(tuple(np.asarray(predict(np.asarray(items, dtype=np.float64))).tolist()))


def classification(estimator: Any, classes: Sequence[str]) -> Predictor:
    """Return the predictor of any classifier of scikit-learn's kind.

    Its own classes are names out of ``classes``, or their positions; raise ``TypeError`` where they are not.
    """
    if not callable(getattr(estimator, "predict_proba", None)):
        raise TypeError(f"{type(estimator).__name__} has no predict_proba")
    own = list(estimator.classes_)
    if not all(label in classes if isinstance(label, str) else 0 <= int(label) < len(classes) for label in own):
        raise TypeError(f"{type(estimator).__name__} has the classes {own[:20]}, expected {list(classes)[:20]}")
    names = tuple(label if isinstance(label, str) else classes[int(label)] for label in own)
    return lambda items: probability_output(estimator.predict_proba(np.asarray(items, dtype=np.float64)), names)
