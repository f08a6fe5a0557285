"""A runbook's steps in words, before anything is put into them."""

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
from breakglass.runbook.steps import Step


def command_of(step: Step) -> str:
    """The step's action as written, on one line."""
    match step.action:
        case KubectlAction(words=words):
            return "kubectl " + " ".join(word.source for word in words)
        case SshAction(host=host, words=words):
            return f"ssh {host.source} -- " + " ".join(word.source for word in words)
        case LocalAction(words=words):
            return "local " + " ".join(word.source for word in words)
        case HttpAction(method=method, endpoint=endpoint, path=path):
            return f"{method.upper()} {endpoint}{path.source if path else ''}"
        case ProbeAction(name=name):
            return f"probe {name}"
        case ManualAction(instructions=instructions):
            return "by hand: " + instructions.source.strip().replace("\n", " ")
        case ChooseAction(options=options):
            return "choose: " + ", ".join(option.name for option in options)
        case AskAction(prompt=prompt):
            return f"ask: {prompt.source}"
        case None:
            return ""
