"""The housing profile: ridge regression of house prices on 13 features, generated from a fixed seed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from pydantic import BaseModel, TypeAdapter

from service.clock import utc
from service.models.base import Dataset, Items, Matrix, Output, Predictor, Profile, Reply, Schema
from service.models.parts.outputs import regression
from service.schemas import DescribedAnswer, InputAnswer, fields_form, form_schema

DISTRICTS = 1500
DECIMALS = (3, 1, 2, 0, 3, 3, 1, 3, 0, 0, 1, 1, 2)


class HousingProfile(Profile):
    """Median price of the houses of a district, in thousands of dollars. Takes one district as 13 named fields.

    The fields are those of the well-known Boston table, so that its request bodies fit; none of its rows is used.
    ``b`` is there for that reason alone: the generated prices do not depend on it.
    """

    name: ClassVar[str] = "housing"
    title: ClassVar[str] = "House prices, ridge regression"
    version: str = "1.0.0"
    data_origin: ClassVar[str] = f"generated from a fixed seed: {DISTRICTS} districts of a made-up city"
    features: ClassVar[tuple[str, ...]] = (
        *("crim", "zn", "indus", "chas", "nox", "rm", "age", "dis", "rad", "tax", "ptratio", "b", "lstat"),
    )
    classes: ClassVar[tuple[str, ...]] = ()
    answer_type: ClassVar[type[BaseModel]] = DescribedAnswer

    def dataset(self) -> Dataset:
        """Return the generated districts (1500 rows, 13 features) and their prices.

        One hidden number, how urban a district is, ties the features together; prices follow a linear law with noise.
        """
        rng = np.random.default_rng(self.seed)
        urban = rng.uniform(0.0, 1.0, DISTRICTS)

        def near(low: float, high: float, spread: float) -> Matrix:
            """Return values that rise with urbanity from ``low`` to ``high``, and vary by ``spread``."""
            around = low + (high - low) * urban + rng.normal(0.0, spread, DISTRICTS)
            return around.clip(min(low, high), max(low, high))

        crim = 0.006 + 4.0 * urban * rng.uniform(0.0, 1.0, DISTRICTS)
        zn = np.where(rng.random(DISTRICTS) < 0.4 * (1.0 - urban), rng.uniform(12.0, 38.0, DISTRICTS), 0.0)
        chas = (rng.random(DISTRICTS) < 0.12).astype(np.float64)
        rm = rng.normal(6.3, 0.65, DISTRICTS).clip(4.6, 8.2)
        lstat = (16.0 - 4.5 * (rm - 6.3) + 6.0 * (urban - 0.9) + rng.normal(0.0, 4.5, DISTRICTS)).clip(2.0, 30.0)
        ptratio = near(13.5, 21.5, 1.2)
        nox = near(0.40, 0.75, 0.05)
        dis = near(8.5, 1.5, 0.9)
        columns = (
            *(crim, zn, near(1.0, 24.0, 3.0), chas, nox, rm, near(10.0, 100.0, 12.0), dis),
            *(near(1.0, 20.0, 3.0), near(190.0, 700.0, 60.0), ptratio, rng.uniform(360.0, 396.9, DISTRICTS), lstat),
        )
        rows = np.column_stack([column.round(digits) for column, digits in zip(columns, DECIMALS, strict=True)])
        price = 30.0 - 0.25 * crim + 0.04 * zn + 2.5 * chas - 14.0 * (nox - 0.55) + 4.2 * (rm - 6.3)
        price += -0.8 * (dis - 4.0) - 0.55 * (ptratio - 17.0) - 0.42 * lstat + rng.normal(0.0, 1.5, DISTRICTS)
        return Dataset(rows, price.clip(5.0, 50.0).round(2))

    def fit(self, dataset: Dataset) -> Any:
        """Return a pipeline of scaler and ridge regression."""
        from sklearn.linear_model import Ridge  # noqa: PLC0415 - seconds of import, needed to train only
        from sklearn.pipeline import make_pipeline  # noqa: PLC0415 - as above
        from sklearn.preprocessing import StandardScaler  # noqa: PLC0415 - as above

        return make_pipeline(StandardScaler(), Ridge(alpha=1.0)).fit(dataset.rows, dataset.target)

    def predictor(self, estimator: Any) -> Predictor:
        """Return a predictor with the scaler folded into the weights; any other regressor predicts as it does."""
        steps = [step for _, step in getattr(estimator, "steps", ())]
        if [type(step).__name__ for step in steps] != ["StandardScaler", "Ridge"]:
            return regression(getattr(estimator, "predict", None))
        scaler, ridge = steps
        weights = np.ascontiguousarray(ridge.coef_ / scaler.scale_)
        offset = float(ridge.intercept_ - scaler.mean_ @ weights)
        return regression(lambda rows: rows @ weights + offset)

    @property
    def input(self) -> InputAnswer:
        """One object with a field for each feature."""
        return InputAnswer(form="fields", shape=[len(self.features)])

    def forms(self, max_rows: int) -> tuple[TypeAdapter[Any], Sequence[Schema]]:
        """Return the one form: a flat object."""
        _ = max_rows
        form = fields_form(self.name, self.features)
        return TypeAdapter(form), (form_schema(form),)

    def rows(self, body: Any) -> Items:
        """Return the one row of the object."""
        return [[getattr(body, name) for name in self.features]]

    def answer(self, output: Output, reply: Reply) -> bytes:
        """Return the prediction and where it comes from."""
        metadata = {
            "app_version": reply.app_version,
            "model_version": reply.model_version,
            "timestamp_utc": utc(reply.at),
        }
        return json.dumps({"prediction": output.values[0], "metadata": metadata}).encode()


PROFILE = HousingProfile()
