"""Whether what can hurt is asked for, pinned and verified, and whether keys stand where they have effect."""

from collections.abc import Iterator

from breakglass.policy.risk import Assessment, Judgement, Knowledge, Risk
from breakglass.runbook.actions import (
    ACTIONS,
    REACHING,
    AskAction,
    ChooseAction,
    KubectlAction,
    ManualAction,
    reaches_outside,
)
from breakglass.runbook.risk import judged
from breakglass.runbook.steps import Step
from breakglass.runbook.template import placeholder_words
from breakglass.runbook.typed_text import typing_problem
from breakglass.yamlio.position import Position, Problem

CHANGE_KEYS = (
    *("pin", "needs", "guards", "impact", "confirm", "verify", "unknown", "undo"),
    *("approve", "assume", "preview"),
)
"""Keys that only a step with a change has use for."""

WORDS_ABOUT_A_CHANGE = frozenset({"impact", "unknown", "undo"})
"""Those of them that may also stand on a `manual` step, where a person makes the change."""

PINNABLE = frozenset({"delete", "patch", "scale", "cordon", "uncordon", "drain", "rollout"})
"""kubectl verbs that act on an object which can be held to its uid."""

NOT_A_NAME = frozenset({"yes", "y", "ok", "okay", "sure", "confirm", "confirmed", "true", "go", "do it"})
"""Words that the hand types before the head has read what they are about."""

LONGEST_TYPED = 20
"""Characters that a person under stress types without mistakes."""


def safety_problems(step: Step) -> list[Problem]:
    """What makes a step more dangerous, or less honest, than it must be."""
    if {*ACTIONS, "risk", "because"} & step.lost:
        return []
    assessed, risk = step.assessed, step.risk
    problems = [*_lowering(step, assessed, step.at("risk"), step.at("because", "risk")), *_labels(step)]
    if assessed.is_below and assessed.may_be_lowered and not assessed.because:
        # Only the reason is missing for the step to be what it is meant to be.
        return problems
    if reaches_outside(step.action) and risk is not Risk.READ:
        problems += _change(step, risk)
        problems += _reads_only(step, risk)
    else:
        problems += _change_keys_on_others(step)
        problems += _wants_a_request(step)
    problems += _list_and_repeat(step)
    problems += _second_actions(step)
    return problems


def _lowering(
    step: Step, assessed: Assessment, risk: Position, because: Position, where: str = ""
) -> Iterator[Problem]:
    """What is wrong with a declared risk below what the words are known for. `risk` and `because` are where
    those stand."""
    named = f"step {step.id}: {where}"
    if assessed.declared is None or not assessed.is_below:
        if assessed.because:
            # A later version knows more commands; what it knows better must not stop a runbook.
            message = f"{named}`because` explains a lowered risk, and nothing is lowered here"
            yield Problem(because, message, warning=True)
        return
    known, declared = assessed.judgement, assessed.declared.word
    below = f"{named}risk {declared} is below what the command does ({known.risk.word}): {known.why}"
    if not assessed.may_be_lowered:
        yield Problem(risk, f"{below}; leave `risk` away")
    elif not assessed.because and assessed.may_read:
        message = (
            f"{below}; say why with `because`, or only a site that names it under `reads` runs it unasked"
        )
        yield Problem(risk, message, warning=True)
    elif not assessed.because:
        yield Problem(risk, f"{below}; say why with `because`")


def _labels(step: Step) -> Iterator[Problem]:
    declared = step.assessed.declared
    if declared is None or declared is Risk.READ:
        return
    if not reaches_outside(step.action) and not isinstance(step.action, ManualAction):
        yield Problem(step.at("risk"), f"step {step.id}: `risk` is for an action, and this step has none")
    elif isinstance(step.action, ManualAction) and declared is Risk.DESTRUCTIVE:
        yield from _missing(step, "impact", "a destructive step says what it breaks, with `impact`")


def _missing(step: Step, key: str, message: str) -> Iterator[Problem]:
    if getattr(step, key) is None and key not in step.lost:
        yield Problem(step.position, f"step {step.id}: {message}")


def unguarded_problems(step: Step) -> Iterator[Problem]:
    """A destructive step that looks at nothing again before it acts, and cannot be put back."""
    careful = step.needs or step.guards or step.pin or step.undo
    if step.risk is Risk.DESTRUCTIVE and reaches_outside(step.action) and not careful and not step.lost:
        message = (
            "a destructive step says what is read again just before it (`needs`, `guards` or `pin`),"
            " or how to put it back (`undo`)"
        )
        yield Problem(step.position, f"step {step.id}: {message}", warning=True)


def _change(step: Step, risk: Risk) -> Iterator[Problem]:
    if risk is Risk.DESTRUCTIVE:
        yield from _missing(step, "impact", "a destructive step says what it breaks, with `impact`")
        yield from _typed_name(step)
    if risk >= Risk.CHANGE:
        message = f"a step of risk {risk.word} needs `verify`: an exit status shows nothing"
        yield from _missing(step, "verify", message + _why(step.assessed))
    yield from _confirmation(step)
    yield from _pin(step)


def _why(assessed: Assessment) -> str:
    """Why it is no read, where its words decided that, and what to do where they are only not known."""
    judgement = assessed.judgement
    if judgement.risk is not assessed.risk:
        return ""
    if judgement.knowledge is not Knowledge.UNKNOWN:
        return f" ({judgement.why})"
    return f" ({judgement.why}; if it only reads, say `risk: read` and why with `because`)"


def _typed_name(step: Step) -> Iterator[Problem]:
    if "confirm" in step.lost:
        return
    if step.confirm is None or step.confirm.type is None:
        message = "a destructive step is confirmed by typing: confirm: {type: NAME-OF-THE-OBJECT}"
        yield Problem(step.at("confirm"), f"step {step.id}: {message}")


def _confirmation(step: Step) -> Iterator[Problem]:
    typed = step.confirm.type if step.confirm is not None else None
    if typed is None or not typed.is_literal:
        return
    text = "".join(part for part in typed.parts if isinstance(part, str))
    if text.strip().lower() in NOT_A_NAME:
        message = f"{text!r} is typed without looking; let the operator type the object's name"
        yield Problem(typed.position, f"step {step.id}: {message}")
    elif wrong := typing_problem(text):
        message = f"the text to type {wrong}; name the object and its site, such as web-0@lab"
        yield Problem(typed.position, f"step {step.id}: {message}")
    elif len(typed.source) > LONGEST_TYPED:
        message = f"{len(typed.source)} characters to type; {LONGEST_TYPED} are enough"
        yield Problem(typed.position, f"step {step.id}: {message}", warning=True)


def _pin(step: Step) -> Iterator[Problem]:
    if step.pin is None:
        return
    if not isinstance(step.action, KubectlAction):
        yield Problem(step.at("pin"), f"step {step.id}: `pin` is for kubectl, which has uids to hold to")
    elif (verb := verb_of(step.action)) not in PINNABLE:
        verbs = ", ".join(sorted(PINNABLE))
        yield Problem(step.at("pin"), f"step {step.id}: kubectl {verb} cannot be pinned; these can: {verbs}")
    elif step.foreach is not None:
        yield Problem(
            step.at("pin"), f"step {step.id}: one `pin` cannot hold for every element of a `foreach`"
        )


def verb_of(action: KubectlAction) -> str:
    """The first word of a kubectl line that is no option."""
    return next((word for word in placeholder_words(action.words) if not word.startswith("-")), "")


def _reads_only(step: Step, risk: Risk) -> Iterator[Problem]:
    if step.retries:
        message = f"`retries` is for reads; this is of risk {risk.word}, and the program never repeats that"
        yield Problem(step.at("retries"), f"step {step.id}: {message}")
    if step.wait is not None:
        message = f"`wait` repeats a read, and this is of risk {risk.word}; wait in `verify`"
        yield Problem(step.at("wait"), f"step {step.id}: {message}")


def _change_keys_on_others(step: Step) -> Iterator[Problem]:
    manual = isinstance(step.action, ManualAction)
    for key in CHANGE_KEYS:
        if not _is_given(step, key) or (manual and key in WORDS_ABOUT_A_CHANGE):
            continue
        at = step.at(key)
        if manual or isinstance(step.action, ChooseAction | AskAction):
            message = "has no effect on what a person does; put it on a step with an action"
        else:
            message = "is for a step that changes something, and this one only reads"
        yield Problem(at, f"step {step.id}: `{key}` {message}")


def _is_given(step: Step, key: str) -> bool:
    match key:
        case "approve":
            return step.approve > 1
        case "needs" | "guards" | "assume":
            return bool(getattr(step, key))
        case _:
            return getattr(step, key) is not None


def _wants_a_request(step: Step) -> Iterator[Problem]:
    if reaches_outside(step.action):
        return
    for key, given in (("wait", step.wait), ("foreach", step.foreach), ("retries", step.retries)):
        if given:
            *most, last = REACHING
            kinds = f"{', '.join(most)} or {last}"
            yield Problem(step.at(key), f"step {step.id}: `{key}` needs {kinds} beside it to repeat")


def _list_and_repeat(step: Step) -> Iterator[Problem]:
    if step.foreach is None or not reaches_outside(step.action):
        return
    for key, given in (("wait", step.wait), ("retries", step.retries)):
        if given:
            yield Problem(step.at(key), f"step {step.id}: `{key}` and `foreach` do not go together")


def _second_actions(step: Step) -> Iterator[Problem]:
    if step.verify is not None and "verify" not in step.lost:
        at, assessed = step.verify.action.position, step.verify.assessed
        yield from _lowering(step, assessed, at, at, "`verify`: ")
        if not assessed.may_read and not assessed.is_below:
            yield from _no_read(step, "verify", at, assessed.judgement)
    if step.preview is not None and "preview" not in step.lost:
        judgement = judged(step.preview)
        if judgement.risk is not Risk.READ:
            yield from _no_read(step, "preview", step.preview.position, judgement)


def _no_read(step: Step, key: str, at: Position, judgement: Judgement) -> Iterator[Problem]:
    message = f"`{key}` only looks, and this is of risk {judgement.risk.word}: {judgement.why}"
    yield Problem(at, f"step {step.id}: {message}; use a command that is known to read")
