"""``python -m faults.traffic`` runs the traffic process of a stack; ``… load`` is a load test."""

from __future__ import annotations

import sys


def main(arguments: list[str]) -> int:
    """Run what the command line asks for; return the exit code."""
    if arguments[:1] == ["load"]:
        from faults.traffic import load  # noqa: PLC0415 - the stack's process does not need it

        return load.main(arguments[1:])
    if arguments:
        sys.stderr.write("usage: python -m faults.traffic [load --help]\n")
        return 2
    from faults.traffic import process  # noqa: PLC0415 - the load test does not need it

    return process.main()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
