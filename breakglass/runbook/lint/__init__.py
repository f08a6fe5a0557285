"""What the parts of a runbook mean together: where the walk can go, what each expression can see, and whether
every change is asked for, pinned down and verified.

Reading has already said what is wrong with each part by itself. Where a part could not be read, what depends
on it is not judged, so that one mistake gives one message.
"""

from collections.abc import Collection, Sequence

from breakglass.runbook.lint.commands import command_problems
from breakglass.runbook.lint.flow import Flow, flow_problems
from breakglass.runbook.lint.names import name_problems
from breakglass.runbook.lint.safety import safety_problems
from breakglass.runbook.lint.style import style_problems
from breakglass.runbook.lint.uses import uses_problems
from breakglass.runbook.lint.values import value_problems
from breakglass.runbook.model import Runbook
from breakglass.runbook.probes import KnownProbes
from breakglass.runbook.steps import ReadStep
from breakglass.yamlio.position import Position, Problem


def lint(runbook: Runbook, *, probes: KnownProbes | None = None) -> list[Problem]:
    """Every problem of a runbook, warnings included, in the order of the file.

    `probes` are the probes that there are; without them, actions that name one are not checked.
    """
    start = Position(runbook.path, 1, 1)
    steps = [ReadStep(step) for step in runbook.steps]
    return sorted(set(lint_read(runbook, steps, start, frozenset(), probes)))


def lint_read(
    runbook: Runbook,
    steps: Sequence[ReadStep],
    uses: Position,
    lost: Collection[str],
    probes: KnownProbes | None,
) -> list[Problem]:
    """As `lint`, for a runbook of which some was perhaps not readable.

    `steps` are the runbook's, with their places; `uses` is where it says what it uses; `lost` are the
    top-level keys of which something could not be read.
    """
    flow = Flow(steps)
    problems = flow_problems(runbook, flow)
    problems += name_problems(runbook, flow, lost)
    for step in steps:
        problems += safety_problems(step)
        problems += command_problems(step, probes)
        problems += value_problems(step)
    if not {"uses", "steps"} & set(lost):
        problems += uses_problems(runbook, uses)
    problems += style_problems(steps)
    return problems
