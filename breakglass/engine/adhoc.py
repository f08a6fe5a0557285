"""One action without a runbook, for the moment when the runbook ends and the night does not.

The words of a command line become a runbook of one step, which is walked like any other: the same risk, the
same question, the same journal. Only nothing is known of what it breaks and how it is verified, and that is
said.
"""

import hashlib
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from breakglass.errors import UserError
from breakglass.policy.kubectl.parse import understood
from breakglass.policy.risk import Assessment, Risk
from breakglass.runbook.actions import Action, HttpAction, KubectlAction, LocalAction, SshAction
from breakglass.runbook.model import Runbook
from breakglass.runbook.risk import judged
from breakglass.runbook.steps import Confirmation, Step
from breakglass.runbook.template import Template
from breakglass.runbook.typed_text import typing_problem
from breakglass.yamlio.position import Position

NAME = "exec"
"""What the session of an ad-hoc action is called in place of its runbook."""

HERE = Position(Path("command line"), 1, 1)
METHODS = frozenset({"get", "head", "options", "post", "put", "patch", "delete"})


class AdhocError(UserError):
    """The words are no action; the message says what one looks like."""


def adhoc_runbook(words: Sequence[str], *, cluster: str | None = None, timeout: float = 30.0) -> Runbook:
    """The runbook of one step that these words are. `timeout` is in seconds. Raises AdhocError."""
    action, target = _action(list(words), cluster)
    assessed = Assessment(judged(action))
    # A short name is typed before it is read; with what it is, it is not.
    named = f"{words[0]} {target}" if typing_problem(target) else target
    typed = _literal(named) if assessed.risk is Risk.DESTRUCTIVE else None
    asks = assessed.risk is not Risk.READ
    step = Step(
        NAME,
        shlex.join(words),
        HERE,
        why="Typed by hand.",
        action=action,
        timeout=timeout,
        assessed=assessed,
        confirm=Confirmation(typed) if asks else None,
        impact=_literal("Not known: this is in no runbook.") if asks else None,
    )
    source = shlex.join(words)
    return Runbook(
        name=NAME,
        title=source,
        summary="One action, typed by hand.",
        severity="sev3",
        path=HERE.file,
        source=source,
        digest=hashlib.sha256(source.encode()).hexdigest(),
        steps=(step,),
    )


def _action(words: list[str], cluster: str | None) -> tuple[Action, str]:
    """The action, and what is typed to confirm it where it is destructive."""
    match words:
        case ["kubectl", _, *_]:
            action = KubectlAction(tuple(_literal(word) for word in words[1:]), HERE, cluster)
            command = understood(words[1:])
            if command.operation is None:
                action = replace(action, driver="binary")
            return action, command.target.name if command.target is not None else words[1]
        case ["ssh", host, "--", _, *_]:
            command = tuple(_literal(word) for word in words[3:])
            return SshAction(_literal(host), command, shell=False, position=HERE), host
        case ["local", "--", program, *_] | ["local", program, *_] if not program.startswith("-"):
            command = words[2:] if words[1] == "--" else words[1:]
            return LocalAction(tuple(_literal(word) for word in command), shell=False, position=HERE), program
        case ["http", method, endpoint] if method.lower() in METHODS:
            return HttpAction(method.lower(), endpoint, HERE), endpoint
        case ["http", method, endpoint, path] if method.lower() in METHODS:
            return HttpAction(method.lower(), endpoint, HERE, path=_literal(path)), endpoint
        case _:
            raise AdhocError(
                f"{shlex.join(words)!r} is no action. Write one of:\n"
                "  kubectl VERB …              as kubectl takes it\n"
                "  ssh HOST -- COMMAND …       a host of the site; each word becomes one argument\n"
                "  local PROGRAM …             a program of this machine that the site names\n"
                "  http METHOD ENDPOINT [PATH] an endpoint of the site"
            )


def _literal(text: str) -> Template:
    return Template(text, HERE, (text,))
