"""``python -m stack.kubernetes``: writes the shipped rules in the two forms that the Kubernetes manifests have them in.

One is a PrometheusRule for the Prometheus Operator, the other a plain rule file for a ConfigMap. Both are made of the
same rules, in production time, and a test holds them against each other. Nothing here speaks to a cluster.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from stack.configuration import RULES_DIR
from stack.rules.errors import RuleError
from stack.rules.file import RuleFile
from stack.rules.read import load_rules, read_rules
from stack.rules.write import write_rules

MANIFESTS = Path(__file__).resolve().parent / "config" / "kubernetes"
RESOURCE = MANIFESTS / "overlays" / "prometheus-operator" / "prometheusrule.yaml"
PLAIN = MANIFESTS / "overlays" / "remote-write" / "rules.yml"
REMARK = "stack/config/prometheus/rules by `python -m stack.kubernetes`; change it there"
HEAD = """\
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: firedrill
  labels:
    app.kubernetes.io/name: firedrill-service
    app.kubernetes.io/part-of: firedrill
spec:
"""


def shipped_rules(folder: Path = RULES_DIR) -> RuleFile:
    """Return the rules of all files in ``folder`` as one; raise ``RuleError``."""
    groups = [group for path in sorted(folder.glob("*.yml")) for group in load_rules(path).groups]
    return RuleFile(folder, tuple(groups))


def as_files(rules: RuleFile) -> Mapping[Path, str]:
    """Return the content of both files; raise ``BadRuleFile`` where two shipped files have a group of the same name."""
    plain = write_rules(rules, REMARK)
    read_rules(plain, PLAIN)
    remark, _, groups = plain.partition("\n")
    indented = "".join(f"  {line}\n" if line else "\n" for line in groups.splitlines())
    return {PLAIN: plain, RESOURCE: f"{remark}\n{HEAD}{indented}"}


def main() -> int:
    """Write both files and name them; return the exit code."""
    try:
        files = as_files(shipped_rules())
    except RuleError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for path, text in files.items():
        path.write_text(text, encoding="utf-8")
        sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
