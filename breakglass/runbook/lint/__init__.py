"""What the parts of a runbook mean together: where the walk can go, what each expression can see, and whether
every change is asked for, pinned down and verified.

Reading has already said what is wrong with each part by itself. Where a part could not be read, what depends
on it is not judged, so that one mistake gives one message.
"""

from breakglass.runbook.lint.commands import command_problems
from breakglass.runbook.lint.flow import Flow, flow_problems
from breakglass.runbook.lint.names import name_problems
from breakglass.runbook.lint.safety import safety_problems
from breakglass.runbook.lint.style import style_problems
from breakglass.runbook.lint.todo import todo_problems
from breakglass.runbook.lint.uses import uses_problems
from breakglass.runbook.lint.values import value_problems
from breakglass.runbook.model import Runbook
from breakglass.runbook.probes import KnownProbes
from breakglass.yamlio.position import Problem


def lint(runbook: Runbook, *, probes: KnownProbes | None = None) -> list[Problem]:
    """Every problem of a runbook, warnings included, in the order of the file.

    `probes` are the probes that there are; without them, actions that name one are not checked.
    """
    flow = Flow(runbook.steps)
    problems = flow_problems(runbook, flow)
    problems += name_problems(runbook, flow)
    for step in runbook.steps:
        problems += safety_problems(step)
        problems += command_problems(step, probes)
        problems += value_problems(step)
    if not {"uses", "steps"} & runbook.written.lost:
        problems += uses_problems(runbook)
    problems += style_problems(runbook)
    problems += todo_problems(runbook.written)
    return sorted(set(problems))
