"""What a runbook's steps count as on a site, and by whose word."""

from dataclasses import replace

from breakglass.policy.site_rules import SiteRules
from breakglass.runbook.model import Runbook
from breakglass.runbook.risk import judged
from breakglass.runbook.steps import Step


def assessed_on(runbook: Runbook, says: SiteRules) -> Runbook:
    """The runbook as it counts on a site."""
    return replace(runbook, steps=tuple(_assessed(step, says) for step in runbook.steps))


def _assessed(step: Step, says: SiteRules) -> Step:
    judgement, verify = judged(step.action, says), step.verify
    if verify is not None:
        verify = replace(verify, assessed=replace(verify.assessed, judgement=judged(verify.action, says)))
        if step.assessed.declared is None:
            # Its author takes it for a change and verifies it: a site does not make less of it.
            judgement = max(judgement, judged(step.action), key=lambda each: each.risk)
    return replace(step, assessed=replace(step.assessed, judgement=judgement), verify=verify)


def vouched_words(step: Step) -> list[str]:
    """What of a step counts as less than its words are known for, and by whose word, for people."""
    words = [f"{step.risk.word.upper()} ({step.assessed.vouched})"] if step.assessed.vouched else []
    if step.verify is not None and step.verify.assessed.vouched:
        words.append(f"verify is a READ ({step.verify.assessed.vouched})")
    return words


def vouched_steps(runbook: Runbook) -> list[str]:
    """The steps of which something counts as less than its words are known for, one line each."""
    return [
        f"{number} {step.title}: {'; '.join(words)}"
        for number, step in enumerate(runbook.steps, start=1)
        if (words := vouched_words(step))
    ]
