"""The JSON schema of drill files, from the models that read them. It checks nothing itself."""

from __future__ import annotations

import json
from collections.abc import Mapping

from pydantic import JsonValue

from faults.drills.parts import DURATION
from faults.drills.spec import Drill
from stack.rules.durations import format_duration

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_MEANT_FOR_NUMBERS = {"exclusiveMinimum", "minimum", "exclusiveMaximum", "maximum"}


def drill_schema() -> str:
    """Return the schema as indented JSON that ends with a line break; durations are strings in it, as in a file."""
    schema: dict[str, JsonValue] = {"$schema": DIALECT, **Drill.model_json_schema()}
    schema["title"] = "A drill of Firedrill, version 1"
    return json.dumps(_as_written(schema), indent=2, ensure_ascii=False) + "\n"


def _as_written(node: JsonValue) -> JsonValue:
    """Return ``node`` with what pydantic says of durations, which it reads into seconds, as they stand in a file."""
    if isinstance(node, list):
        return [_as_written(each) for each in node]
    if not isinstance(node, dict):
        return node
    if not _is_duration(node):
        return {key: _as_written(each) for key, each in node.items()}
    return {
        key: format_duration(each) if key == "default" and isinstance(each, int | float) else each
        for key, each in node.items()
        if key not in _MEANT_FOR_NUMBERS
    }


def _is_duration(node: Mapping[str, JsonValue]) -> bool:
    return node.get("pattern") == DURATION
