"""The churn profile: gradient-boosted trees on customers of a made-up telecom, generated from a fixed seed."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from service.models.base import Dataset, Predictor, Profile
from service.models.parts.outputs import classification

CUSTOMERS = 2000


class ChurnProfile(Profile):
    """Whether a customer leaves, from six numbers about the contract and its use."""

    name: ClassVar[str] = "churn"
    title: ClassVar[str] = "Customer churn, gradient boosting"
    version: str = "1.0.0"
    data_origin: ClassVar[str] = f"generated from a fixed seed: {CUSTOMERS} customers of a made-up telecom"
    features: ClassVar[tuple[str, ...]] = (
        "tenure_months",
        "monthly_charge",
        "support_calls",
        "usage_hours",
        "late_payments",
        "contract_months",
    )
    classes: ClassVar[tuple[str, ...]] = ("stays", "leaves")

    def dataset(self) -> Dataset:
        """Return the generated customers (2000 rows, 6 features); who leaves is drawn by a logistic law."""
        rng = np.random.default_rng(self.seed)
        tenure = rng.integers(1, 73, CUSTOMERS)
        charge = rng.normal(65.0, 18.0, CUSTOMERS).clip(20.0, 115.0).round(2)
        calls = rng.poisson(1.5, CUSTOMERS).clip(0, 7)
        usage = rng.normal(40.0, 12.0, CUSTOMERS).clip(5.0, 75.0).round(1)
        late = rng.binomial(6, 0.12, CUSTOMERS)
        contract = rng.choice((1, 12, 24), CUSTOMERS, p=(0.5, 0.3, 0.2))
        odds = (
            1.2
            - 0.09 * tenure
            + 0.07 * (charge - 65.0)
            + 1.1 * (calls - 1.5)
            - 0.05 * (usage - 40.0)
            + 0.9 * (late - 0.7)
            - 0.12 * (contract - 9.0)
            + 1.6 * ((contract == 1) & (charge > 75.0))
        )
        target = rng.random(CUSTOMERS) < 1.0 / (1.0 + np.exp(-odds))
        rows = np.column_stack((tenure, charge, calls, usage, late, contract)).astype(np.float64)
        return Dataset(rows, target.astype(np.int64))

    def fit(self, dataset: Dataset) -> Any:
        """Return 80 boosted trees of depth 3."""
        from sklearn.ensemble import GradientBoostingClassifier  # noqa: PLC0415 - seconds of import, to train only

        trees = GradientBoostingClassifier(n_estimators=80, max_depth=3, random_state=self.seed)
        return trees.fit(dataset.rows, dataset.target)

    def predictor(self, estimator: Any) -> Predictor:
        """Return a predictor over the estimator's own class probabilities."""
        return classification(estimator, self.classes)


PROFILE = ChurnProfile()
