"""What a change of pace does to the result of each PromQL function: one table. What is not in it is refused."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType


class Treatment(Enum):
    """How a function's result follows the pace."""

    PRESERVED = "the result depends on the pace as its argument does"
    AMOUNT_PRESERVED = "the same, but not for points in time nor for changes over a window"
    PLAIN_RESULT = "the result is the same at every pace"
    WINDOWED = "the result is proportional to the window; constants beside it shrink with it"
    SIGN_KEPT = "only the sign keeps its meaning, since a step and a slope scale differently; to be compared with 0"
    BOUNDED = "its bounds shrink with its argument"
    PLAIN_ONLY = "allowed on values that are the same at every pace"
    MOMENT = "a point in time; an age made of it shrinks like a window"


_CALENDAR = "the calendar has no pace"

FUNCTIONS: Mapping[str, Treatment | str] = MappingProxyType(
    {
        **dict.fromkeys(("vector", "scalar", "abs", "sort", "sort_desc"), Treatment.PRESERVED),
        **dict.fromkeys(("sort_by_label", "sort_by_label_desc", "label_replace", "label_join"), Treatment.PRESERVED),
        **dict.fromkeys(("avg_over_time", "min_over_time", "max_over_time", "last_over_time"), Treatment.PRESERVED),
        **dict.fromkeys(("quantile_over_time", "histogram_sum", "histogram_count"), Treatment.PRESERVED),
        **dict.fromkeys(("rate", "irate", "sum_over_time"), Treatment.AMOUNT_PRESERVED),
        **dict.fromkeys(("stddev_over_time", "mad_over_time"), Treatment.AMOUNT_PRESERVED),
        **dict.fromkeys(("absent", "absent_over_time", "present_over_time", "count_over_time"), Treatment.PLAIN_RESULT),
        **dict.fromkeys(("histogram_quantile", "histogram_fraction", "histogram_avg"), Treatment.PLAIN_RESULT),
        **dict.fromkeys(("sgn", "pi"), Treatment.PLAIN_RESULT),
        "increase": Treatment.WINDOWED,
        **dict.fromkeys(("delta", "idelta", "deriv", "changes", "resets"), Treatment.SIGN_KEPT),
        **dict.fromkeys(("clamp", "clamp_min", "clamp_max"), Treatment.BOUNDED),
        **dict.fromkeys(("ceil", "floor", "round", "exp", "ln", "log2", "log10", "sqrt"), Treatment.PLAIN_ONLY),
        **dict.fromkeys(("stdvar_over_time", "deg", "rad"), Treatment.PLAIN_ONLY),
        **dict.fromkeys(("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh"), Treatment.PLAIN_ONLY),
        **dict.fromkeys(("asinh", "acosh", "atanh"), Treatment.PLAIN_ONLY),
        **dict.fromkeys(("time", "timestamp"), Treatment.MOMENT),
        "predict_linear": "its horizon is a time of the rule and of the world at once, and the world keeps its speed",
        **dict.fromkeys(("hour", "minute", "month", "year", "days_in_month"), _CALENDAR),
        **dict.fromkeys(("day_of_month", "day_of_week", "day_of_year"), _CALENDAR),
    }
)
"""The treatment of a function, or the reason why it is refused."""

PRESERVING_AGGREGATIONS = frozenset(
    {"sum", "avg", "min", "max", "topk", "bottomk", "limitk", "limit_ratio", "quantile", "stddev"}
)
PLAIN_AGGREGATIONS = frozenset({"count", "group"})
