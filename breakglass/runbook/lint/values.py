"""Whether every value in a step's commands can be one value there, and nothing else."""

from collections.abc import Iterator

from breakglass.policy.shell import ShellSyntaxError
from breakglass.runbook.arguments import is_json
from breakglass.runbook.http_text import UNKNOWN_BODY, body_form
from breakglass.runbook.json_text import NotJsonError, check_json
from breakglass.runbook.lint.names import expressions_of
from breakglass.runbook.model import Action, Expression, HttpAction, KubectlAction, SshAction, Template
from breakglass.runbook.shell_text import MisplacedValueError, places_of
from breakglass.runbook.steps import ReadStep
from breakglass.runbook.template import place_in
from breakglass.yamlio.position import Position, Problem


def value_problems(read: ReadStep) -> Iterator[Problem]:
    """What is wrong with the values in the commands of a step, its verification and its preview."""
    step = read.step
    verification = step.verify.action if step.verify is not None else None
    actions = [action for action in (step.action, verification, step.preview) if action is not None]
    for action in actions:
        yield from _in_action(action)
    used = {expression.source for action in actions for expression in expressions_of(action)}
    for name in step.optional:
        if name not in used and not read.lost:
            message = f"step {step.id}: `optional` names {name!r}, and no command of the step holds it"
            yield Problem(read.at("optional"), message)


def _in_action(action: Action) -> Iterator[Problem]:
    match action:
        case SshAction(shell=True, words=(line,)):
            yield from _in_shell(line)
        case SshAction(words=words) | KubectlAction(words=words):
            for word in words:
                if is_json(word):
                    yield from _in_json(word)
        case HttpAction(body=body) if body is not None:
            yield from _in_body(action, body)
        case _:
            pass
    if isinstance(action, SshAction | KubectlAction) and action.stdin is not None and is_json(action.stdin):
        yield from _in_json(action.stdin)


def _in_shell(line: Template) -> Iterator[Problem]:
    """Shell text: it is understood, and every value is a parameter of it."""
    try:
        places_of(line)
    except MisplacedValueError as error:
        expression = line.parts[error.part]
        assert isinstance(expression, Expression)
        yield Problem(expression.position, f"{expression.source}: {error}")
    except ShellSyntaxError as error:
        yield Problem(place_in(line, error.offset), f"the shell text is not understood: {error}")


def _in_json(text: Template) -> Iterator[Problem]:
    try:
        check_json(text)
    except NotJsonError as error:
        yield Problem(_first_value(text), f"{error}; a value must be one JSON value")


def _in_body(action: HttpAction, body: Template) -> Iterator[Problem]:
    match body_form(body, action.headers):
        case "json":
            yield from _in_json(body)
        case "unknown":
            yield Problem(_first_value(body), UNKNOWN_BODY)
        case _:
            pass


def _first_value(template: Template) -> Position:
    """Where the first value of a template stands."""
    values = (part.position for part in template.parts if isinstance(part, Expression))
    return next(values, template.position)
