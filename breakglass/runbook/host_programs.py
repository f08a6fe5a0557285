"""Which programs a runbook's commands need on its hosts, as far as their words name them."""

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from breakglass.policy.local_programs import Started, started_by, started_in
from breakglass.policy.placeholders import is_literal
from breakglass.policy.shell_words import ShellSyntaxError
from breakglass.runbook.actions import SshAction
from breakglass.runbook.expression import EvaluationError
from breakglass.runbook.model import Runbook
from breakglass.runbook.template import placeholder, render
from breakglass.values import Scope

ROOT_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")
"""Where `sudo` looks too, by its usual `secure_path`."""
SHELL = "sh"
"""What is asked, and must find itself: else its silence says nothing."""


@dataclass(frozen=True, slots=True)
class Needed:
    """A program that a step starts on a host. host: empty where it comes from a value that isn't known yet.
    as_root: behind `sudo`, which also looks in the folders for root. tolerated: the step goes on without."""

    host: str
    name: str
    step: str
    as_root: bool
    tolerated: bool


def programs_of(runbook: Runbook, scope: Scope) -> Iterator[Needed]:
    """What the steps start on hosts, on the host itself. `scope` has the inputs and the site. What is behind
    `docker exec` and the like runs elsewhere, and text that is not understood names nothing."""
    for step in runbook.steps:
        for action in step.actions:
            if not isinstance(action, SshAction):
                continue
            try:
                host = render(action.host, scope)
            except EvaluationError:
                host = ""
            for each in _started(action):
                if is_literal(each.word) and not each.elsewhere:
                    as_root = action.sudo or each.by == "sudo"
                    yield Needed(host, each.word, step.id, as_root, "exit" in step.tolerate)


def _started(action: SshAction) -> tuple[Started, ...]:
    words = [placeholder(word) for word in action.words]
    try:
        return started_in(words[0]) if action.shell else started_by(words)
    except ShellSyntaxError:
        return ()


def text_asking_for(needed: Iterable[Needed]) -> str:
    """Shell text that prints where the shell finds each program. It only reads, and ends with 0."""
    wanted = {SHELL: None}
    for each in needed:
        wanted[each.name] = None
        if each.as_root and "/" not in each.name:
            wanted |= dict.fromkeys(f"{folder}/{each.name}" for folder in ROOT_FOLDERS)
    return "; ".join((*(f"command -v {shlex.quote(each)}" for each in wanted), "true"))


def found_in(printed: str) -> set[str]:
    """The programs that were found, by their names and by their paths."""
    return {name for line in printed.split("\n") if line for name in (line, line.rpartition("/")[2])}
