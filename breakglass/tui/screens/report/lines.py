"""The report's views as styled lines for a width.

The draft is Markdown of a narrow kind, and only its shape is read here: headings, lists, tables, folds. What
stands in it came partly from outside, so links, images, HTML and emphasis stay the plain text that they are.
"""

import re
from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from rich.text import Text

from breakglass.report.document import TO_FILL
from breakglass.report.markdown import unescaped
from breakglass.report.timeline import TimelineEntry, offset
from breakglass.tui.theme import Appearance
from breakglass.tui.widgets.text import folded, padded, plain

NARROWEST_LAST_COLUMN = 16
"""Cells below which a table's last column goes under the others."""

_PROMPT = rf"_{TO_FILL}(: [^_]*)?_"
_CELL_BORDER = re.compile(r"(?<!\\)\|")


def sections(draft: str, titles: Iterable[str]) -> str:
    """The draft's second-level sections with these titles, in the draft's order."""
    wanted = {f"## {title}" for title in titles}
    kept: list[str] = []
    inside = False
    for line in draft.split("\n"):
        if line.startswith("## "):
            inside = line in wanted
        if inside:
            kept.append(line)
    return "\n".join(kept).strip("\n")


def draft_lines(draft: str, width: int, look: Appearance) -> list[Text]:
    """A draft, or sections of one, laid out."""
    lines: list[Text] = []
    table: list[str] = []
    for line in [*draft.split("\n"), ""]:
        if line.startswith("| "):
            table.append(line)
            continue
        if line.startswith("|--") or line in ("<details>", "</details>"):
            continue
        lines += _table([_cells(row) for row in table], width, look)
        table.clear()
        lines += _line(line, width, look)
    while lines and not lines[-1].plain:
        lines.pop()
    return lines


def timeline_lines(entries: Sequence[TimelineEntry], width: int, look: Appearance) -> list[Text]:
    """One fact a line: time, time since the start, step, words; the words below them where it is narrow."""
    longest = max((len(entry.step) for entry in entries), default=0)
    beside = 8 + 2 + 7 + longest + 2
    lines: list[Text] = []
    for entry in entries:
        head = (
            f"{entry.time:%H:%M:%S}  {padded(offset(entry.elapsed), 7)}{padded(plain(entry.step), longest)}  "
        )
        style = look.style("muted") if entry.weight == 0 else look.style("plain")
        if width - beside >= 2 * NARROWEST_LAST_COLUMN:
            first, *rest = folded(entry.text, width - beside)
            lines.append(Text.assemble((head, look.style("muted")), (first, style)))
            lines += [Text.assemble(" " * beside, (line, style)) for line in rest]
        else:
            lines.append(Text(head.rstrip(), look.style("muted")))
            lines += [Text.assemble("  ", (line, style)) for line in folded(entry.text, width - 2)]
    return lines


def _line(line: str, width: int, look: Appearance) -> list[Text]:
    if line.startswith("#"):
        level = len(line) - len(line.lstrip("#"))
        style = f"bold {look.style('accent')}" if level < 3 else "bold"
        return [Text(each, style) for each in folded(line.lstrip("# "), width)]
    if line.startswith("<summary>"):
        title = line.removeprefix("<summary>").removesuffix("</summary>")
        return [Text(each, "bold") for each in folded(unescaped(title), width)]
    indent = "  " if re.match(r"(- |\d+\. )", line) else ""
    first, *rest = folded(unescaped(line), max(width - len(indent), 1))
    return [_filled(first, look), *(_filled(f"{indent}{each}", look) for each in rest)]


def _filled(line: str, look: Appearance) -> Text:
    """The line, with what a person still has to write marked."""
    text = Text(line)
    text.highlight_regex(_PROMPT, look.style("suspect"))
    return text


def _cells(row: str) -> list[str]:
    cells = _CELL_BORDER.split(row.strip().removeprefix("|").removesuffix("|"))
    return [plain(unescaped(cell.strip())) for cell in cells]


def _table(rows: Sequence[Sequence[str]], width: int, look: Appearance) -> list[Text]:
    """Columns side by side, the widest one wrapped; the last one below the others where it is narrow."""
    rows = [row for row in rows if any(row)]
    if not rows:
        return []
    columns = max(len(row) for row in rows)
    widths = [max((cell_len(row[at]) for row in rows if at < len(row)), default=0) for at in range(columns)]
    widest = widths.index(max(widths))
    room = width - (sum(widths) - widths[widest]) - 2 * (columns - 1)
    if room < NARROWEST_LAST_COLUMN and room < widths[widest]:
        return _stacked(rows, width, look)
    widths[widest] = min(widths[widest], room)
    lines: list[Text] = []
    for row in rows:
        pieces = [folded(cell, max(widths[at], 1)) for at, cell in enumerate(row)]
        for number in range(max(len(piece) for piece in pieces)):
            words = [
                padded(piece[number] if number < len(piece) else "", widths[at])
                for at, piece in enumerate(pieces)
            ]
            lines.append(_filled("  ".join(words).rstrip(), look))
    return lines


def _stacked(rows: Sequence[Sequence[str]], width: int, look: Appearance) -> list[Text]:
    lines: list[Text] = []
    for row in rows:
        head = "  ".join(cell for cell in row[:-1] if cell)
        lines += [Text(line, look.style("muted")) for line in folded(head, width)] if head else []
        lines += [_filled(f"  {line}", look) for line in folded(row[-1], width - 2)] if row[-1] else []
    return lines
