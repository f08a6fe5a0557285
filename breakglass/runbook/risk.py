"""The risk of a step: derived from what it runs; a label raises it, and lowers only what is not known."""

from breakglass.policy.commands import (
    READ,
    risk_of_command,
    risk_of_kubectl,
    risk_of_method,
    risk_of_shell,
    without_global_flags,
)
from breakglass.policy.risk import Risk
from breakglass.runbook.model import Action, HttpAction, KubectlAction, SshAction, Step
from breakglass.runbook.template import placeholder, placeholder_words
from breakglass.yamlio.position import Problem


def derived_risk(action: Action | None) -> Risk:
    """The risk of an action, from the command that it runs."""
    match action:
        case KubectlAction(words=words):
            return risk_of_kubectl(placeholder_words(words))
        case SshAction(words=words, shell=True):
            return risk_of_shell(placeholder(words[0]))
        case SshAction(words=words):
            return risk_of_command(placeholder_words(words))
        case HttpAction(method=method):
            return risk_of_method(method)
        case _:
            return READ


def effective_risk(step: Step) -> Risk:
    """The risk that counts: what is derived, raised by the label, or lowered where that is allowed."""
    derived = derived_risk(step.action)
    declared = step.declared_risk
    if declared is None:
        return derived
    if declared < derived and not (may_be_lowered(step) and step.because):
        return derived
    return declared


def may_be_lowered(step: Step) -> bool:
    """Whether a label may count below what is derived: only where the tables look into a foreign command
    line."""
    action = step.action
    if isinstance(action, SshAction):
        return True
    if not isinstance(action, KubectlAction):
        return False
    words = without_global_flags(placeholder_words(action.words))
    return words[:1] == ["exec"]


def risk_problems(step: Step) -> list[Problem]:
    """What is wrong with a step's label."""
    declared = step.declared_risk
    derived = derived_risk(step.action)
    problems: list[Problem] = []
    if declared is not None and declared < derived:
        lowered = f"risk {declared.word} is below what the command does ({derived.word})"
        if not may_be_lowered(step):
            problems.append(Problem(step.position, f"step {step.id}: {lowered}; leave `risk` away"))
        elif not step.because:
            problems.append(Problem(step.position, f"step {step.id}: {lowered}; say why with `because`"))
    if step.because and (declared is None or declared >= derived):
        message = f"step {step.id}: `because` explains a lowered risk, and nothing is lowered here"
        problems.append(Problem(step.position, message))
    return problems
