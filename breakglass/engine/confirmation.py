"""The word that a change wants: which text is typed for it, and whether two names are two people."""

import unicodedata

from breakglass.engine.scope import Scopes
from breakglass.errors import StepError
from breakglass.policy.risk import Risk
from breakglass.runbook.expression import Expression
from breakglass.runbook.steps import Step
from breakglass.runbook.template import Template, render
from breakglass.runbook.typed_text import seen, typing_problem


class ConfirmationTextError(StepError):
    """Nobody could give a word that means something; the message says why and what to do."""


def text_to_type(step: Step, scope: Scopes, site: str, count: int | None = None) -> str:
    """The text to type before a change is sent; empty where one key is enough.

    count: how many elements of a `foreach` the word covers; the text then begins with that number, whatever
    the runbook says, and several never take one key. A destructive step never does either.

    Raises WordError where the text would be blank, too short, impossible to type or a secret, and
    EvaluationError for a value that is missing.
    """
    text = _written(step, scope)
    if not text and count is not None and count > 1:
        text = site
    if not text or count is None or text.startswith(f"{count} "):
        return text
    return f"{count} on {text}"


def _written(step: Step, scope: Scopes) -> str:
    """The text without the number of a list."""
    if step.confirm is not None and step.confirm.type is not None:
        text = _named(step.confirm.type, scope)
    else:
        text = step.id if step.risk is Risk.DESTRUCTIVE else ""
    if text and (wrong := typing_problem(text)):
        raise ConfirmationTextError(
            f"the text to type, {text!r}, {wrong}. Let `confirm` of step {step.id} name the object and its "
            "site, such as {type: NAME@SITE}"
        )
    return text


def _named(template: Template, scope: Scopes) -> str:
    """The rendered text. Each value in it must show something: without its name the rest means nothing."""
    for part in template.parts:
        if isinstance(part, Expression) and not seen(
            render(Template("", part.position, (part,)), scope.real)
        ):
            raise ConfirmationTextError(
                f"the text to type is {template.source}, and {part.source} is empty, so the text would not "
                f"name what is changed. Find out why {part.source} is empty, then run the step again"
            )
    text = render(template, scope.real)
    if not scope.same and text != render(scope.shown_template(template), scope.shown):
        raise ConfirmationTextError(f"the text to type, {template.source}, holds a secret; name the object")
    return text


def person(name: str) -> str:
    """A name by which two spellings of one person are the same: case, blanks, look-alike forms of Unicode
    and characters that are not seen make no difference. Empty for a name that shows nothing."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return seen(folded)
