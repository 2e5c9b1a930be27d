"""The exchange-rate profile: a random forest on the last three rates, generated from a fixed seed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from pydantic import BaseModel, TypeAdapter

from service.models.base import Dataset, Items, Output, Predictor, Profile, Reply, Schema
from service.models.parts.outputs import regression
from service.schemas import InputAnswer, ValueAnswer, form_schema, history_form

DAYS = 1500
LAGS = 3


class ExchangeRateProfile(Profile):
    """The next rate of a made-up pair of currencies, from its last three. Takes them oldest first, as ``history``."""

    name: ClassVar[str] = "exchange-rate"
    title: ClassVar[str] = "Exchange rate, random forest"
    version: str = "1.0.0"
    data_origin: ClassVar[str] = f"generated from a fixed seed: {DAYS} days of a made-up pair of currencies"
    features: ClassVar[tuple[str, ...]] = ("lag_1", "lag_2", "lag_3")
    classes: ClassVar[tuple[str, ...]] = ()
    answer_type: ClassVar[type[BaseModel]] = ValueAnswer

    def dataset(self) -> Dataset:
        """Return the last three rates of each day (1500 rows; ``lag_1`` is the day before) and the day's own.

        The rate returns to 0.87 by 3 % a day and moves by 0.006 at random (an Ornstein-Uhlenbeck process in days).
        """
        rng = np.random.default_rng(self.seed)
        rates = np.empty(DAYS + LAGS)
        rates[0] = 0.87
        for day, step in enumerate(rng.normal(0.0, 0.006, DAYS + LAGS - 1), start=1):
            rates[day] = rates[day - 1] + 0.03 * (0.87 - rates[day - 1]) + step
        rates = rates.round(4)
        rows = np.column_stack([rates[LAGS - lag : DAYS + LAGS - lag] for lag in range(1, LAGS + 1)])
        return Dataset(rows, rates[LAGS:])

    def fit(self, dataset: Dataset) -> Any:
        """Return a forest of 40 trees."""
        from sklearn.ensemble import RandomForestRegressor  # noqa: PLC0415 - seconds of import, needed to train only

        forest = RandomForestRegressor(n_estimators=40, min_samples_leaf=8, random_state=self.seed)
        return forest.fit(dataset.rows, dataset.target)

    def predictor(self, estimator: Any) -> Predictor:
        """Return a predictor that asks the trees themselves: the forest's own call costs ten times as much."""
        trees = [tree.tree_ for tree in getattr(estimator, "estimators_", ()) if hasattr(tree, "tree_")]
        if type(estimator).__name__ != "RandomForestRegressor" or not trees:
            return regression(getattr(estimator, "predict", None))

        def mean(rows: Any) -> Any:
            points = rows.astype(np.float32)
            return sum(tree.predict(points)[:, 0] for tree in trees) / len(trees)

        return regression(mean)

    @property
    def input(self) -> InputAnswer:
        """The last rates, oldest first."""
        return InputAnswer(form="history", shape=[LAGS])

    def forms(self, max_rows: int) -> tuple[TypeAdapter[Any], Sequence[Schema]]:
        """Return the one form, ``{"history": [oldest, …, newest]}``."""
        _ = max_rows
        form = history_form(self.name, LAGS)
        return TypeAdapter(form), (form_schema(form),)

    def rows(self, body: Any) -> Items:
        """Return the one row, newest first as the lags are."""
        return [body.history[::-1]]

    def answer(self, output: Output, reply: Reply) -> bytes:
        """Return the prediction."""
        return json.dumps({"prediction": output.values[0], "request_id": reply.request_id}).encode()


PROFILE = ExchangeRateProfile()
