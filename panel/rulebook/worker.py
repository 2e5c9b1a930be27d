"""The process that answers one question: an errand comes in by its first line, messages go out line by line.

``python -m panel.rulebook.worker``. It ends in order when whoever started it closes its input, or is gone.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TextIO

from panel.rulebook.answers import Message, Problem
from panel.rulebook.questions import Errand

ORDERLY_S = 1.2
"""After so long an end in order has failed."""
NICENESS = 5
"""The stack that runs beside it comes first."""


def main() -> None:
    """Answer the errand on the standard input."""
    out = _own_output()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    with contextlib.suppress(OSError, AttributeError):
        os.nice(NICENESS)
    errand = Errand.model_validate_json(sys.stdin.readline())
    own = Path(errand.folder).parent  # which whoever started this takes away too, if it lives
    threading.Thread(target=_end_with_input, args=(own,), daemon=True).start()
    try:
        os.chdir(errand.folder)
        _answer(errand, out)
    except (KeyboardInterrupt, BrokenPipeError):
        shutil.rmtree(own, ignore_errors=True)
        os._exit(1)


def _own_output() -> TextIO:
    """Return a stream for messages alone: whatever else prints goes to the standard error."""
    kept = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    return kept


def _answer(errand: Errand, out: TextIO) -> None:
    from faults.errors import FaultError  # noqa: PLC0415 - imports take seconds, in which the input is heard already
    from panel.rulebook.tasks import answer  # noqa: PLC0415 - as above
    from stack.errors import StackError  # noqa: PLC0415 - as above

    def tell(message: Message) -> None:
        out.write(f"{message.model_dump_json()}\n")

    try:
        answer(errand, tell)
    except (FaultError, StackError) as problem:
        tell(Problem(words=str(problem).replace(f"{tempfile.gettempdir()}/", "")))


def _end_with_input(own: Path) -> None:
    """End this process when its input ends; ``own`` is its folder."""
    while sys.stdin.readline():
        pass
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(ORDERLY_S)
    shutil.rmtree(own, ignore_errors=True)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
