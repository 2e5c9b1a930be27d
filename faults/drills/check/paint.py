"""How the pictures of checks are painted: the look of a run's pictures, without a screen, the same bytes every time."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

from faults.drills.report import amounts
from faults.drills.report.pictures import DPI, INK, SOFT, Format

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def painted(title: str, kind: Format, paint: Callable[[Figure], None]) -> bytes:
    """Return what ``paint`` puts on an empty figure, as a PNG or SVG file. It says how large the figure is."""
    import matplotlib as mpl  # noqa: PLC0415 - heavy, and few commands paint
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - as above
    from matplotlib.figure import Figure  # noqa: PLC0415 - as above

    with (
        warnings.catch_warnings(),
        mpl.rc_context(
            {
                "font.family": "DejaVu Sans",
                "font.size": 8.5,
                "svg.hashsalt": "firedrill",
                "svg.fonttype": "none",
                "text.usetex": False,
                "text.parse_math": False,
                "axes.edgecolor": SOFT,
                "text.color": INK,
            }
        ),
    ):
        warnings.simplefilter("ignore", UserWarning)  # a character that the font lacks is drawn as a box
        figure = Figure(dpi=DPI, facecolor="white")
        FigureCanvasAgg(figure)
        paint(figure)
        title = amounts.printable(title)
        metadata = {"Software": None, "Title": title} if kind == "png" else {"Date": None, "Creator": None}
        stream = io.BytesIO()
        figure.savefig(stream, format=kind, metadata=metadata)
        return stream.getvalue()
