"""The site's checks as the preflight runs them: the same looks as `breakglass doctor`, for one runbook."""

import tempfile
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import TypeAlias

from breakglass.engine.doctor import Check, checks
from breakglass.journal.folders import state_folder
from breakglass.runbook.model import Runbook
from breakglass.site.model import Site

Checks: TypeAlias = Callable[[Runbook, Site], AsyncGenerator[Check, None]]
"""Looks at what a runbook uses of a site. Reads only; each look has its own deadline."""


async def site_checks(runbook: Runbook, site: Site) -> AsyncGenerator[Check, None]:
    """Every check of the site for this runbook, as each is done. What comes back is not kept."""
    with tempfile.TemporaryDirectory(prefix="breakglass-checks-") as folder:
        async for check in checks(site, [runbook], state_folder(), Path(folder)):
            yield check
