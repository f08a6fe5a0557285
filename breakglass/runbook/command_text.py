"""A runbook's steps in words, before anything is put into them."""

import re
import shlex
from collections.abc import Sequence
from types import MappingProxyType

from breakglass.runbook.actions import (
    AskAction,
    ChooseAction,
    HttpAction,
    KubectlAction,
    LocalAction,
    ManualAction,
    ProbeAction,
    SshAction,
)
from breakglass.runbook.expression import EvaluationError, Expression, Scope
from breakglass.runbook.steps import Step
from breakglass.runbook.template import Template, text_of

_TO_PUT_IN = re.compile(r"\$\{\{.*?\}\}", re.DOTALL)


def command_of(step: Step, scope: Scope = MappingProxyType({}), *, quoted: bool = False) -> str:
    """The step's action with the values that are there; one that is not there yet stands as it is written:
    `${{ pod }}`. `quoted`: each word is quoted as a shell wants it."""

    def known(template: Template) -> str:
        return "".join(part if isinstance(part, str) else _value(part, scope) for part in template.parts)

    def line(words: Sequence[Template]) -> str:
        return " ".join(_quoted(known(word)) if quoted else known(word) for word in words)

    match step.action:
        case KubectlAction(words=words):
            return f"kubectl {line(words)}"
        case SshAction(host=host, words=words):
            return f"ssh {known(host)} -- {line(words)}"
        case LocalAction(words=words):
            return f"local {line(words)}"
        case HttpAction(method=method, endpoint=endpoint, path=path):
            return f"{method.upper()} {endpoint}{known(path) if path else ''}"
        case ProbeAction(name=name):
            return f"probe {name}"
        case ManualAction(instructions=instructions):
            return "by hand: " + known(instructions).strip().replace("\n", " ")
        case ChooseAction(options=options):
            return "choose: " + ", ".join(option.name for option in options)
        case AskAction(prompt=prompt):
            return f"ask: {known(prompt)}"
        case None:
            return ""


def _value(expression: Expression, scope: Scope) -> str:
    try:
        return text_of(expression, scope)
    except EvaluationError:
        return f"${{{{ {expression.source} }}}}"


def _quoted(word: str) -> str:
    """Quoted where a shell would take it for more than a word; a value to be put in counts as a plain one."""
    return word if shlex.quote(_TO_PUT_IN.sub("x", word)) == _TO_PUT_IN.sub("x", word) else shlex.quote(word)
