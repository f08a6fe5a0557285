"""The last look at a request before it is sent: nothing runs unasked that is not a read, whatever its values
have made of it, and a change is no more than the operator is asked about."""

from dataclasses import replace

from breakglass.errors import PreparationError
from breakglass.policy.risk import Assessment, Judgement, Risk


def require_read(planned: Assessment, shown: Judgement, sent: Judgement) -> Assessment:
    """What a request counts as with its values, which is a read. `sent` is its judgement with its secrets.

    Raises PreparationError for what is not a read.
    """
    found = replace(planned, judgement=shown)
    if found.risk is not Risk.READ:
        raise PreparationError(f"not sent: nobody was asked, and it is not a read: {shown.why}")
    if replace(planned, judgement=sent).risk is not Risk.READ:
        # The reason would tell the secret.
        raise PreparationError("not sent: nobody was asked, and with its secret it is not a read")
    return found


def require_planned_risk(planned: Assessment, shown: Judgement, sent: Judgement) -> None:
    """Raise PreparationError where a request is more with its values than was planned without them."""
    for judgement in (shown, sent):
        found = replace(planned, judgement=judgement)
        if found.risk > planned.risk:
            more = (
                f"with its values this is {found.risk.word}, and the step is planned as {planned.risk.word}"
            )
            why = f": {judgement.why}" if judgement is shown else ""
            raise PreparationError(f"{more}{why}; say `risk: {found.risk.word}` in the step")
