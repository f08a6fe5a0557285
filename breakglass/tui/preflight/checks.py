"""The site's checks as the preflight shows them: results that come one by one."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from breakglass.runbook.model import Runbook
from breakglass.site.model import Site


@dataclass(frozen=True, slots=True)
class Checked:
    """One thing of the site that was looked at: what, how it is, and in words what was seen."""

    name: str
    state: Literal["ok", "suspect", "failed", "unknown"]
    words: str


Checks: TypeAlias = Callable[[Runbook, Site], AsyncIterator[Checked]]
"""Looks at what a runbook uses of a site. Reads only; each look has its own deadline."""


async def no_checks(runbook: Runbook, site: Site) -> AsyncIterator[Checked]:
    """Nothing is looked at."""
    for nothing in ():
        yield nothing
