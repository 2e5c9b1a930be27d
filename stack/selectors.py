"""The label matchers that shipped rules, dashboards and the panel share, in PromQL. It asks nobody anything."""

from __future__ import annotations

PREDICTION_ENDPOINTS = 'endpoint=~"/predict(/.*)?|/v2/models/.*/infer"'
"""Everything that answers with a prediction: the service's own routes and those of the Open Inference Protocol."""
