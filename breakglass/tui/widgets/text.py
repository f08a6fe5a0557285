"""Text that is laid out by hand: wrapped, never cut, and never read as markup.

Everything here makes `rich.text.Text` from plain strings. What comes from outside passes through `plain`.
"""

from collections.abc import Iterable, Sequence

from rich.cells import cell_len, chop_cells
from rich.text import Text

from breakglass.transport.sanitize import visible, visible_line
from breakglass.values import Json


def plain(text: str) -> str:
    """Text from outside on one line, with nothing in it that a terminal would obey."""
    return visible_line(text)


def folded(text: str, width: int) -> list[str]:
    """The text in lines of at most `width` cells. Breaks at spaces where it can, and leaves nothing out."""
    width = max(width, 1)
    lines: list[str] = []
    for paragraph in visible(text).expandtabs(4).split("\n"):
        lines += _folded_line(paragraph, width)
    return lines


def _folded_line(line: str, width: int) -> list[str]:
    lines: list[str] = []
    while cell_len(line) > width:
        piece = chop_cells(line, width)[0]
        at = piece.rfind(" ")
        if line[len(piece)] == " ":
            at = len(piece)
        if at > width // 3:
            lines.append(line[:at])
            line = line[at:].lstrip(" ")
        else:
            lines.append(piece)
            line = line[len(piece) :]
    return [*lines, line]


def padded(text: str, width: int) -> str:
    """The text with spaces up to a width in cells."""
    return text + " " * max(width - cell_len(text), 0)


def labelled(
    label: str, value: str, width: int, *, indent: int, style: str = "", label_style: str = ""
) -> list[Text]:
    """A label and its value beside it, the value wrapped under itself. The label gets `indent` cells."""
    lines = folded(value, width - indent)
    first = Text.assemble((padded(label, indent), label_style), (lines[0], style))
    return [first, *(Text.assemble((" " * indent, label_style), (line, style)) for line in lines[1:])]


def flowed(chunks: Iterable[str], width: int, gap: str = "  ") -> list[str]:
    """Chunks side by side, on as many lines as they need. Only one that is too wide itself is broken."""
    lines: list[str] = []
    line = ""
    for chunk in chunks:
        joined = f"{line}{gap}{chunk}" if line else chunk
        if cell_len(joined) <= width:
            line = joined
            continue
        if line:
            lines.append(line)
        *whole, line = folded(chunk, width)
        lines += whole
    return [*lines, line] if line else lines


def columns(left: Sequence[Text], right: Sequence[Text], width: int, bar: str, style: str) -> list[Text]:
    """Two columns of lines with a bar between them; `width` is the left one's."""
    rows: list[Text] = []
    for at in range(max(len(left), len(right))):
        one = left[at] if at < len(left) else Text()
        two = right[at] if at < len(right) else Text()
        rows.append(Text.assemble(one, " " * max(width - one.cell_len, 0), (f" {bar} ", style), two))
    return rows


def shown_value(value: Json) -> str:
    """A value as a person reads it: text bare, numbers without needless decimals, the rest as JSON."""
    import json

    if isinstance(value, str):
        return plain(value) if value else '""'
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return plain(json.dumps(value, ensure_ascii=False))


def shown_values(values: "dict[str, Json]") -> str:
    """Names and values on one line."""
    return ", ".join(f"{plain(name)} = {shown_value(value)}" for name, value in values.items())


def seconds(value: float) -> str:
    """A duration with its unit: 0.4 s, 12 s, 3 min 05 s."""
    if value < 10:
        return f"{value:.1f} s"
    if value < 120:
        return f"{value:.0f} s"
    return f"{int(value) // 60} min {int(value) % 60:02} s"


def clock(value: float) -> str:
    """Time since something, as MM:SS, or H:MM:SS from an hour on."""
    total = max(int(value), 0)
    hours, minutes = divmod(total // 60, 60)
    return f"{hours}:{minutes:02}:{total % 60:02}" if hours else f"{minutes:02}:{total % 60:02}"


def size(count: int) -> str:
    """Bytes with a unit."""
    if count < 1024:
        return f"{count} B"
    if count < 1024 * 1024:
        return f"{count / 1024:.1f} KiB"
    return f"{count / 1024 / 1024:.1f} MiB"
