"""Whether every value in a step's commands can be one value there, and nothing else."""

from collections.abc import Iterator, Sequence

from breakglass.policy.commands import is_known
from breakglass.policy.injection import misplaced, reads_program
from breakglass.policy.placeholders import VALUE
from breakglass.policy.shell import ShellSyntaxError, parse
from breakglass.runbook.actions import Action, HttpAction, KubectlAction, LocalAction, SshAction
from breakglass.runbook.arguments import is_json
from breakglass.runbook.expression import Expression
from breakglass.runbook.http_text import UNKNOWN_BODY, body_form
from breakglass.runbook.json_text import NotJsonError, check_json
from breakglass.runbook.lint.names import expressions_of
from breakglass.runbook.shell_text import MisplacedValueError, commands_of, places_of
from breakglass.runbook.steps import Step
from breakglass.runbook.template import Template, only_expression, place_in, placeholder_words
from breakglass.yamlio.position import Position, Problem

_OTHER = "another"
"""Stands for the values beside the one that is looked at."""


def value_problems(step: Step) -> Iterator[Problem]:
    """What is wrong with the values in the commands of a step, its verification and its preview."""
    verification = step.verify.action if step.verify is not None else None
    actions = [action for action in (step.action, verification, step.preview) if action is not None]
    for action in actions:
        yield from _in_action(action)
    used = {expression.source for action in actions for expression in expressions_of(action)}
    for name in step.optional:
        if name not in used and not step.lost:
            message = f"step {step.id}: `optional` names {name!r}, and no command of the step holds it"
            yield Problem(step.at("optional"), message)


def _in_action(action: Action) -> Iterator[Problem]:
    match action:
        case SshAction(shell=True, words=(line,)) | LocalAction(shell=True, words=(line,)):
            yield from _in_shell(line)
        case SshAction(words=words) | LocalAction(words=words):
            yield from _in_words(words)
        case KubectlAction(words=words) if words and words[0].is_literal:
            yield from _in_words((_literal("kubectl", action), *words))
        case HttpAction(body=body) if body is not None:
            yield from _in_body(action, body)
        case _:
            pass
    if isinstance(action, HttpAction) and action.path is not None:
        yield from _in_path(action.path)
    if isinstance(action, SshAction | KubectlAction | LocalAction) and action.stdin is not None:
        yield from _in_stdin(action, action.stdin)


def _in_path(path: Template) -> Iterator[Problem]:
    first = path.parts[0] if path.parts else ""
    if only_expression(path) is None and not (isinstance(first, str) and first.startswith("/")):
        yield Problem(path.position, f"a path begins with /, and this is {path.source[:40]!r}")


def _in_shell(line: Template) -> Iterator[Problem]:
    """Shell text: it is understood, and every value is a parameter of it."""
    try:
        places_of(line)
    except MisplacedValueError as error:
        expression = line.parts[error.part]
        assert isinstance(expression, Expression)
        yield Problem(expression.position, f"{expression.source}: {error}")
        return
    except ShellSyntaxError as error:
        yield Problem(place_in(line, error.offset), f"the shell text is not understood: {error}")
        return
    found = False
    for value, text in _one_at_a_time(line):
        for command in parse(text):
            if command.words and (why := misplaced(command.words)):
                found = True
                yield Problem(value.position, f"{value.source}: {why}")
                break
    if not found and not line.is_literal:
        for command in commands_of(line):
            if command.words and (why := misplaced(command.words, tainted=True)):
                yield Problem(_first_value(line), why)
                return


def _in_words(words: Sequence[Template]) -> Iterator[Problem]:
    """The words of one command: JSON is JSON, and no value is code to the program."""
    plain = [word for word in words if not is_json(word)]
    for word in words:
        if is_json(word):
            yield from _in_json(word)
    for word in plain:
        for value, text in _one_at_a_time(word):
            line = [text if each is word else _beside(each) for each in words]
            if why := misplaced(line):
                yield Problem(value.position, f"{value.source}: {why}")


def _beside(word: Template) -> str:
    """A word beside the one that is looked at."""
    return VALUE if is_json(word) else "".join(p if isinstance(p, str) else _OTHER for p in word.parts)


def _one_at_a_time(template: Template) -> Iterator[tuple[Expression, str]]:
    """Each value of a template, and the text with a stand-in for it and plain words for the others."""
    for index, part in enumerate(template.parts):
        if isinstance(part, Expression):
            texts = (
                each if isinstance(each, str) else VALUE if at == index else _OTHER
                for at, each in enumerate(template.parts)
            )
            yield part, "".join(texts)


def _in_stdin(action: SshAction | KubectlAction | LocalAction, text: Template) -> Iterator[Problem]:
    """Standard input with a value in it goes to a program that does not read it as code."""
    if text.is_literal:
        return
    if is_json(text):
        yield from _in_json(text)
    shell = not isinstance(action, KubectlAction) and action.shell
    kubectl = ("kubectl",) if isinstance(action, KubectlAction) else ()
    try:
        lines = (
            [each.words for each in commands_of(action.words[0]) if each.words]
            if shell
            else [(*kubectl, *placeholder_words(action.words))]
        )
    except ShellSyntaxError:
        return
    if reader := next((found for each in lines if (found := reads_program(each))), ""):
        message = f"{reader} reads its standard input as a program, and a value in it would be code"
        yield Problem(_first_value(text), message)
    unknown = next((line[0] for line in lines if not is_known(line[0])), "")
    if not reader and unknown and not is_json(text) and only_expression(text) is None:
        message = (
            f"{unknown} is not known, and may read its standard input as a program; give it JSON, or one "
            "expression and nothing else"
        )
        yield Problem(_first_value(text), message)


def _literal(text: str, action: KubectlAction) -> Template:
    return Template(text, action.position, (text,))


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
