"""docs/telemetry.md says what the exporters say."""

from __future__ import annotations

import re
from pathlib import Path

from service.settings import Settings
from service.telemetry.export import Drop, ExportCollector, Failure
from service.telemetry.tracing import build_exporter

PAGE = (Path(__file__).resolve().parents[3] / "docs/telemetry.md").read_text(encoding="utf-8")


def test_every_export_metric_is_documented(tmp_path: Path) -> None:
    """Names, labels and meanings of the table are the collector's, and each reason stands in the text."""
    exporter = build_exporter(Settings(otel_exporter_otlp_endpoint="http://127.0.0.1:9"), "traces", "me")
    families = {
        f"{family.name}_total" if family.type == "counter" else family.name: family
        for family in ExportCollector([exporter]).collect()
    }
    exporter.close(5.0)
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if "| `otel_" in line]
    assert [row[0].strip("`") for row in rows] == list(families)
    for row in rows:
        family = families[row[0].strip("`")]
        assert re.findall(r"`(\w+)`", row[1]) == list(family.samples[0].labels)
        assert row[2] == family.documentation
    assert all(f"`{reason}`" in PAGE for reason in (*Failure, *Drop))
