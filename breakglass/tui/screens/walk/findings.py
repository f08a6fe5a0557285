"""What was found so far, as lines: one sentence an answered question, the newest last."""

from collections.abc import Mapping, Sequence

from rich.cells import cell_len
from rich.text import Text

from breakglass.report.findings import WalkFinding
from breakglass.transport.output import shortened
from breakglass.tui.theme import Appearance
from breakglass.tui.widgets.text import folded, padded, plain, shown_value
from breakglass.values import Json


def finding_lines(found: Sequence[WalkFinding], width: int, look: Appearance, rows: int) -> list[Text]:
    """A heading, and as many of the newest as fit into `rows` lines, each of them whole."""
    label = f"bold {look.style('muted')}"
    kept: list[list[Text]] = []
    room = rows - 1
    for finding in reversed(found):
        lines = one_finding(finding, width, look)
        if len(lines) > room:
            break
        room -= len(lines)
        kept.append(lines)
    earlier = f"  ({len(found) - len(kept)} earlier: i)" if len(kept) < len(found) else ""
    heading = Text(padded(f"FINDINGS{earlier}", width), label)
    return [heading, *(line for lines in reversed(kept) for line in lines)]


def values_beside(values: Mapping[str, Json], width: int, look: Appearance) -> list[Text]:
    """A heading and the captured values, the newest first, each in short; `v` shows them whole."""
    if not values:
        return []
    lines = [Text("VALUES", f"bold {look.style('muted')}")]
    for name, value in reversed(list(values.items())):
        words = shortened(f"{plain(name)} = {shown_value(value)}", 2 * width)
        lines += [Text(line, look.style("muted")) for line in folded(words, width)]
    return lines


def one_finding(finding: WalkFinding, width: int, look: Appearance) -> list[Text]:
    """One sentence with the glyph of its step's end, wrapped under itself."""
    mark = look.mark(finding.state)
    indent = cell_len(mark) + 1
    first, *rest = folded(plain(finding.text), width - indent)
    return [
        Text.assemble((f"{mark} ", look.mark_style(finding.state)), first),
        *(Text(" " * indent + line) for line in rest),
    ]
