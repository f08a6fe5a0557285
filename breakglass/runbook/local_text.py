"""The programs of this machine that an action starts, whatever its values are."""

from breakglass.policy.local_programs import Started, objection, started_by, started_in
from breakglass.policy.shell import ShellSyntaxError
from breakglass.policy.site_rules import Programs
from breakglass.runbook.actions import LocalAction
from breakglass.runbook.template import placeholder, placeholder_words


def started_of(action: LocalAction) -> tuple[Started, ...]:
    """The programs that an action starts. Raises ShellSyntaxError."""
    if action.shell:
        return started_in(placeholder(action.words[0]))
    return started_by(placeholder_words(action.words))


def local_objection(action: LocalAction, programs: Programs) -> str:
    """Why an action must not run on this machine, and what to do; empty where the site names its programs."""
    try:
        return objection(started_of(action), programs)
    except ShellSyntaxError as error:
        return f"the shell text is not understood: {error}"
