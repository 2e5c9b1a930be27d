"""``firedrill bundle``: everything needed in one folder, for rooms without internet."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from panel.commands.console import OUT
from stack.kit.making import Wanted, make


def bundle(
    out: Annotated[Path, typer.Option("--out", help="The folder to make; it must not exist yet.")],
    no_chromium: Annotated[
        bool, typer.Option("--no-chromium", help="Leave Chromium out: no pictures of pages, no browser tests.")
    ] = False,
    test: Annotated[bool, typer.Option("--test", help="Take along what `firedrill test` needs, too.")] = False,
) -> None:
    """Make a folder that installs and runs without internet, on this platform with this Python."""

    def tell(text: str) -> None:
        OUT.print(f"  {text}", highlight=False, markup=False, soft_wrap=True)

    made = make(Wanted(out, test=test, chromium=not no_chromium), tell)
    for reason in made.left_out:
        OUT.print(f"  left out: {reason}", highlight=False, markup=False, soft_wrap=True)
    OUT.print(
        f"\n{made.out}: {made.size_bytes / 1e6:.0f} MB in {made.files:,} files, checked. "
        f"On a machine without internet: {made.out.name}/firedrill up",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
