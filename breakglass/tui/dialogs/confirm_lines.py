"""What the confirmation of a change says, as lines: what counts, in the order in which it is read."""

from rich.cells import cell_len
from rich.text import Text

from breakglass.journal import events as e
from breakglass.journal.state import State
from breakglass.report.confirmation import what_and_where
from breakglass.tui.theme import Appearance
from breakglass.tui.widgets.text import flowed, labelled, plain, shown_values

LABEL = 10


def confirmation_lines(asked: e.Asked, state: State, width: int, look: Appearance) -> list[Text]:
    """What is about to be done, in the order in which it is read."""
    lines: list[Text] = []

    def row(label: str, value: str, style: str = "") -> None:
        lines.extend(
            labelled(
                label, value, width, indent=LABEL, style=style, label_style=f"bold {look.style('muted')}"
            )
        )

    for label, value in what_and_where(asked):
        if label == "ON":
            row(label, "\n".join(flowed(value.split("   "), width - LABEL, "   ")))
        else:
            row(label, value, "" if label == "AS" else "bold")
    if asked.earlier:
        row("EARLIER", asked.earlier, f"bold {look.style('unknown')}")
    if asked.question == "accept":
        row("MEANS", asked.impact)
        row("THEN", asked.then)
        return lines
    row("BREAKS", asked.impact or "the runbook does not say")
    row("UNDO", asked.undo or "NONE", f"bold {look.style('failed')}" if asked.undo in ("", "NONE") else "")
    lines += _needs(asked, state, width, look)
    refused = "refused" in asked.server_says
    row(
        "SERVER",
        asked.server_says or "dry run not supported",
        f"bold {look.style('failed')}" if refused else "",
    )
    row("THEN", asked.then or "No automatic check. Verify by hand")
    if asked.approvals > 1:
        agreed = ", ".join(state.approvals) or "nobody yet"
        proof = ", the second by an SSH signature" if asked.sign else ". The second name is not proven"
        row("AGREED", f"{agreed}; {asked.approvals} people must{proof}")
    return lines


def _needs(asked: e.Asked, state: State, width: int, look: Appearance) -> list[Text]:
    view = state.steps.get(asked.step)
    needs = view.last.needs if view is not None and view.last is not None else ()
    label = f"bold {look.style('muted')}"
    if not needs:
        return labelled("NEEDS", "the runbook names none", width, indent=LABEL, label_style=label)
    read = f"re-read {max(time for time, _ in needs):%H:%M:%S}Z"
    lines = labelled("NEEDS", read, width, indent=LABEL, label_style=label)
    for _, need in needs:
        held = "" if need.holds else f"  DOES NOT HOLD: {plain(need.message)}"
        mark = look.mark("ok" if need.holds else "failed")
        named = f"{plain(need.need)}: " if need.need not in ("guard", "uid") else ""
        vouched = plain(f"   READ ({need.because})") if need.because else ""
        found = plain(need.means) or f"{plain(need.that)}   {shown_values(need.observed)}"
        words = f"{named}{found}{held}{vouched}"
        style = look.mark_style("ok") if need.holds else f"bold {look.style('failed')}"
        indent = cell_len(mark) + 3
        lines += labelled(f"  {mark}", words, width, indent=indent, style=style, label_style=style)
    return lines


def match_words(typed: str, wanted: str, *, stood: bool = True, does: str = "sends it") -> str:
    """How far the typed text is from the wanted one. stood: whether it has been on the screen for long enough
    to be sent. does: what Enter does then."""
    if not typed:
        return ""
    if typed == wanted:
        return f"matches. Enter  {does}" if stood else "matches"
    if wanted.startswith(typed):
        return f"no match yet ({len(typed)} of {len(wanted)})"
    at = next(
        (at for at, (one, two) in enumerate(zip(typed, wanted, strict=False)) if one != two), len(wanted)
    )
    return f"no match: differs from character {at + 1} on"
