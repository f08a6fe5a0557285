"""The steps: a column with phases where there is room, a strip of numbers where there is not.

Both list the path taken and what lies ahead up to the next fork, with its ways; or all steps of the runbook.
Each step keeps its number in the runbook, by which one jumps.
"""

from collections.abc import Sequence

from rich.cells import cell_len
from rich.text import Text

from breakglass.journal.state import State
from breakglass.policy.risk import Risk
from breakglass.report.position import WalkPosition
from breakglass.runbook.model import Runbook
from breakglass.runbook.steps import Step
from breakglass.tui.theme import Appearance
from breakglass.tui.walk_text import strip_window
from breakglass.tui.widgets.text import folded, padded, plain, seconds

NEAR = 60
"""Steps that are drawn on each side of the one that is shown; a key press must not wait for a thousand."""


def _near(listed: Sequence[str], shown: str) -> range:
    """Which of the listed steps are drawn."""
    at = listed.index(shown) if shown in listed else 0
    return range(max(at - NEAR, 0), min(at + NEAR + 1, len(listed)))


def _listed(runbook: Runbook, branch: WalkPosition | None, shown: str) -> tuple[str, ...]:
    if branch is None:
        return tuple(step.id for step in runbook.steps)
    return branch.listed if shown in branch.listed else (*branch.listed, shown)


def _fork_line(branch: WalkPosition | None, step: str, width: int, look: Appearance) -> list[Text]:
    """What stands over the ways at a fork."""
    if branch is None or not branch.forks or step != branch.forks[0]:
        return []
    count = len(branch.forks)
    words = f"then one of {count}" if count > 1 else "then this, or back"
    return [Text(padded(words, width), f"bold {look.style('accent')}")]


def _left_out(count: int, where: str, width: int, look: Appearance) -> list[Text]:
    return [Text(padded(f"{count} {where}", width), look.style("muted"))] if count else []


def _mark(step: Step) -> str:
    return {Risk.DESTRUCTIVE: "!!", Risk.CHANGE: "!", Risk.PROBE: "!"}.get(step.risk, "")


def _status(state: State, step: Step) -> str:
    view = state.steps.get(step.id)
    return view.status if view is not None else "pending"


def _took(state: State, step: Step) -> str:
    view = state.steps.get(step.id)
    last = view.last if view is not None else None
    return seconds(last.seconds) if last is not None and last.ended is not None and last.seconds else ""


def step_rows(
    runbook: Runbook,
    state: State,
    shown: str,
    width: int,
    look: Appearance,
    branch: WalkPosition | None = None,
) -> tuple[list[Text], dict[int, str], int]:
    """The column: its lines, which line belongs to which step, and the line of the step that is shown.
    Without a branch it lists all steps."""
    listed = _listed(runbook, branch, shown)
    numbers = {step.id: number for number, step in enumerate(runbook.steps, start=1)}
    forks = branch.forks if branch is not None else ()
    near = _near(listed, shown)
    lines = _left_out(near.start, "before", width, look)
    owners: dict[int, str] = {}
    at = 0
    phase = ""
    indent = cell_len(look.mark("ok")) + 6
    for index in near:
        number = numbers[listed[index]]
        step = runbook.steps[number - 1]
        lines += _fork_line(branch, step.id, width, look)
        if step.phase != phase and step.id not in forks:
            phase = step.phase
            lines.append(Text(padded(plain(phase), width), f"bold {look.style('muted')}"))
        status = _status(state, step)
        took, mark = _took(state, step), _mark(step)
        title = f"{plain(step.title)} {mark}".rstrip()
        tail = f"  {took}" if took else ""
        pieces = folded(title, width - indent - len(tail))
        here = ">" if step.id == state.current else " "
        style = "bold" if step.id == state.current else look.style("muted") if status == "pending" else ""
        first = len(lines)
        for row, piece in enumerate(pieces):
            head = (
                [
                    (here, "bold"),
                    (padded(look.mark(status), indent - 5), look.mark_style(status)),
                    f"{number:>2}  ",
                ]
                if row == 0
                else [(" " * indent, look.style("muted"))]
            )
            end = tail if row == 0 else ""
            text = Text.assemble(
                *head, (padded(piece, width - indent - len(end)), style), (end, look.style("muted"))
            )
            if step.id == shown:
                text.stylize(look.palette.selected)
            owners[len(lines)] = step.id
            lines.append(text)
        if step.id == shown:
            at = first
    lines += _left_out(len(listed) - near.stop, "after", width, look)
    lines += _left_out(len(runbook.steps) - len(listed), "on other ways (m lists all)", width, look)
    return lines, owners, at


def strip(
    runbook: Runbook,
    state: State,
    shown: str,
    width: int,
    look: Appearance,
    branch: WalkPosition | None = None,
) -> Text:
    """One line of numbers around the step that is shown: `[ok]1 [ok]2 >3< [ ]4!! [ ]5`."""
    listed = _listed(runbook, branch, shown)
    numbers = {step.id: number for number, step in enumerate(runbook.steps, start=1)}
    near = _near(listed, shown)
    pieces: list[Text] = []
    at = 0
    for index in near:
        step = runbook.steps[numbers[listed[index]] - 1]
        status = _status(state, step)
        number, mark = str(numbers[step.id]), _mark(step)
        if branch is not None and step.id in branch.forks:
            number = f"{'|' if step.id == branch.forks[0] else ''}{number}"
        if step.id == state.current:
            piece = Text.assemble((look.mark(status), look.mark_style(status)), (f">{number}<{mark}", "bold"))
        else:
            piece = Text.assemble((f"{look.mark(status)}{number}{mark}", look.mark_style(status)))
        if step.id == shown:
            at = len(pieces)
            if step.id != state.current:
                piece.stylize(look.palette.selected)
        pieces.append(piece)
    widths = [piece.cell_len + 1 for piece in pieces]
    window = strip_window(len(pieces), at, width - 10, widths)
    first, last = near.start + window.start, near.start + window.stop
    before = f"{first} < " if first else ""
    after = f" > {len(listed) - last}" if last < len(listed) else ""
    inside = Text(" ").join(pieces[window.start : window.stop])
    return Text.assemble((before, look.style("muted")), inside, (after, look.style("muted")), no_wrap=True)
