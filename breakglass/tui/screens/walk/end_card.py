"""The card of a walk that has ended: outcome, duration, changes, what is open, whom to tell."""

from collections.abc import Sequence

from rich.text import Text

from breakglass.report.ending import Ending
from breakglass.tui.theme import Appearance
from breakglass.tui.widgets.text import labelled, plain

LABEL = 9


def end_lines(ending: Ending, width: int, look: Appearance) -> list[Text]:
    """The whole card."""
    lines: list[Text] = []

    def row(label: str, values: Sequence[str], style: str = "") -> None:
        for at, value in enumerate(values):
            lines.extend(
                labelled(
                    label if at == 0 else "",
                    plain(value),
                    width,
                    indent=LABEL,
                    style=style,
                    label_style=f"bold {look.style('muted')}",
                )
            )

    lines.append(Text("COMPLETE" if ending.complete else "STOPPED", "bold"))
    row("OUTCOME", [ending.outcome], "bold")
    row("TOOK", [ending.lasted])
    row("CHANGED", ending.changed or ("nothing",))
    row("OPEN", ending.still_open or ("nothing",))
    row("TELL", [", ".join(ending.tell)] if ending.tell else ["the runbook names nobody"])
    row("THEN", ["u  copy a status message for the channel   Enter  open the report"])
    return lines
