"""Rules for practice: added to a running Prometheus and taken away again, at the stack's pace.

Only where Prometheus reads rules from this home, which is the native runtime. The stack's own rules are never touched.
"""

from __future__ import annotations

from pathlib import Path

from stack.clients.prometheus import PrometheusClient
from stack.configuration import practice_files, replace_file
from stack.errors import StackError
from stack.home import Home
from stack.pace import Pace
from stack.rules.read import load_rules
from stack.rules.scale import scale_rules
from stack.rules.write import write_rules

TIMEOUT_S = 10.0


class NoPractice(StackError):  # noqa: N818 - reads as a fact where it is raised
    """Prometheus does not read its rules from this home."""

    def __init__(self, home: Home) -> None:
        super().__init__(
            f"the Prometheus of this stack reads no practice rules from {home.run}: that takes the service's own rules "
            "in the native runtime (`firedrill up --runtime native`). The Rules page can check them all the same"
        )


class Practice:
    """The practice rules of the stack in ``home``, whose Prometheus is at ``url``."""

    def __init__(self, home: Home, url: str, pace: Pace) -> None:
        self._home, self._url, self._pace = home, url, pace

    @property
    def possible(self) -> bool:
        """Whether this stack's Prometheus looks for them."""
        try:
            configured = (self._home.run / "prometheus.yml").read_text(encoding="utf-8")
        except OSError:
            return False
        return str(practice_files(self._home)) in configured

    @property
    def loaded(self) -> bool:
        """Whether there are any."""
        return any(self._folder.glob("*.yml"))

    def load(self, source: Path) -> None:
        """Add the rules of ``source``, written in production time. Raises ``NoPractice``, ``SourceError``."""
        if not self.possible:
            raise NoPractice(self._home)
        text = write_rules(scale_rules(load_rules(source), self._pace.factor), f"{source.name}, for practice")
        self._folder.mkdir(parents=True, exist_ok=True)
        replace_file(self._folder / source.name, text)
        self._reload()

    def take_away(self) -> bool:
        """Take all of them away; return whether there were any. Raises ``SourceError``."""
        files = list(self._folder.glob("*.yml"))
        for file in files:
            file.unlink(missing_ok=True)
        if files:
            self._reload()
        return bool(files)

    @property
    def _folder(self) -> Path:
        return practice_files(self._home).parent

    def _reload(self) -> None:
        with PrometheusClient(self._url, timeout_s=TIMEOUT_S) as prometheus:
            prometheus.reload()
