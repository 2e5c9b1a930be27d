"""The few pieces of HTML that reports are made of. Every text is escaped here, where it becomes markup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from faults.drills.report import amounts

_STYLE = Path(__file__).with_name("report.css")
_HATCH = (
    '<svg width="0" height="0" style="position:absolute" aria-hidden="true"><defs><pattern id="hatch" width="7" '
    'height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="4" height="7" '
    'style="fill:var(--pending)"/></pattern></defs></svg>'
)
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""The page may load nothing from anywhere, whatever it should contain."""
GOOD = frozenset({"passed", "as expected", "✓"})
MILD = frozenset({"skipped", "aborted", "not run", "insufficient history", "already firing"})


@dataclass(frozen=True)
class Html:
    """A piece of finished markup."""

    text: str


Cell = str | Html


def text(value: Cell) -> str:
    """Return ``value`` as markup: a plain text escaped, finished markup as it is."""
    return value.text if isinstance(value, Html) else escape(value)


def page(title: str, body: Iterable[str]) -> str:
    """Return a whole page that needs nothing but itself."""
    style = _STYLE.read_text(encoding="utf-8")
    return amounts.printable(
        "\n".join(
            [
                "<!doctype html>",
                '<html lang="en">',
                "<head>",
                '<meta charset="utf-8">',
                '<meta name="viewport" content="width=device-width, initial-scale=1">',
                f'<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">',
                '<link rel="icon" href="data:,">',
                f"<title>{escape(title)}</title>",
                f"<style>\n{style}</style>",
                "</head>",
                "<body>",
                _HATCH,
                "<main>",
                *body,
                "</main>",
                "</body>",
                "</html>\n",
            ]
        )
    )


def heading(level: int, words: Cell, *, anchor: str = "") -> str:
    """Return a heading."""
    place = f' id="{escape(anchor)}"' if anchor else ""
    return f"<h{level}{place}>{text(words)}</h{level}>"


def paragraph(words: Cell, kind: str = "") -> str:
    """Return a paragraph."""
    return f"<p{f' class={kind!r}' if kind else ''}>{text(words)}</p>"


def badge(words: str) -> Html:
    """Return a verdict as a badge; its word says what its colour says."""
    kind = "good" if words in GOOD else "warn" if words in MILD else "bad"
    return Html(f'<span class="badge {kind}">{escape(words)}</span>')


def table(head: Sequence[str], rows: Iterable[Sequence[Cell]], *, kinds: Sequence[str], label: str) -> str:
    """Return a table that scrolls by itself where it is too wide; ``kinds`` are the classes of its columns."""
    columns = "".join(
        f'<th scope="col"{f" class={kind!r}" if kind else ""}>{escape(one)}</th>'
        for one, kind in zip(head, kinds, strict=True)
    )
    body = "\n".join(
        f"<tr>{''.join(_cell(cell, kind) for cell, kind in zip(row, kinds, strict=True))}</tr>" for row in rows
    )
    return f"{_scrolling(label)}<table><thead><tr>{columns}</tr></thead><tbody>\n{body}\n</tbody></table></div>"


def scrolling(label: str, body: str) -> str:
    """Return ``body`` in a region that scrolls sideways by itself."""
    return f"{_scrolling(label)}{body}</div>"


def _scrolling(label: str) -> str:
    return f'<div class="wide" tabindex="0" role="region" aria-label="{escape(label)}">'


def _cell(cell: Cell, kind: str) -> str:
    return f"<td{f' class={kind!r}' if kind else ''}>{text(cell)}</td>"


def pairs(entries: Iterable[tuple[str, str]], label: str) -> str:
    """Return names and values as a table of two columns."""
    rows = "".join(f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in entries)
    return f'{_scrolling(label)}<table class="pairs">{rows}</table></div>'


def figures(entries: Iterable[tuple[str, str]]) -> str:
    """Return a row of figures: what it is, and how much."""
    items = "".join(f"<li><b>{escape(value)}</b><span>{escape(name)}</span></li>" for name, value in entries)
    return f'<ul class="figures">{items}</ul>'


def code_block(words: str) -> str:
    """Return a text as it is, in lines."""
    return f'<pre tabindex="0">{escape(words)}</pre>'


def folded(title: Cell, body: str, *, is_open: bool = False) -> str:
    """Return ``body`` behind a title that opens it."""
    return f"<details{' open' if is_open else ''}><summary>{text(title)}</summary>\n{body}\n</details>"


def link(address: str, words: str) -> Html:
    """Return a link to a page of the stack; anything else than an HTTP address stays text."""
    if not address.startswith(("http://", "https://")):
        return Html(escape(words))
    return Html(f'<a href="{escape(address)}" rel="noreferrer">{escape(words)}</a>')
