"""The last look at a request before it is sent: nothing runs unasked that is not a read, whatever its values
have made of it, and a change is no more than the operator is asked about."""

from dataclasses import replace

from breakglass.engine.prepare import PreparationError, Prepared
from breakglass.policy.risk import Assessment, Risk


def as_a_read(planned: Assessment, shown: Prepared, sent: Prepared) -> Assessment:
    """What a request counts as with its values, which is a read. `sent` is `shown` with its secrets.

    Raises PreparationError for what is not a read.
    """
    found = replace(planned, judgement=shown.judgement)
    if found.risk is not Risk.READ:
        raise PreparationError(f"not sent: nobody was asked, and it is not a read: {found.judgement.why}")
    if replace(planned, judgement=sent.judgement).risk is not Risk.READ:
        # The reason would tell the secret.
        raise PreparationError("not sent: nobody was asked, and with its secret it is not a read")
    return found


def as_planned(planned: Assessment, shown: Prepared, sent: Prepared) -> None:
    """Raise PreparationError where a request is more with its values than was planned without them."""
    for found in (replace(planned, judgement=each.judgement) for each in (shown, sent)):
        if found.risk > planned.risk:
            more = (
                f"with its values this is {found.risk.word}, and the step is planned as {planned.risk.word}"
            )
            why = f": {found.judgement.why}" if found.judgement is shown.judgement else ""
            raise PreparationError(f"{more}{why}; say `risk: {found.risk.word}` in the step")
