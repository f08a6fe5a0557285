"""What is asked for when a session is opened, and what an open session is."""

import getpass
import os
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from breakglass.engine.adhoc import NAME as ADHOC
from breakglass.engine.presence import FindOthers, Presence
from breakglass.engine.walk import Engine, Pace
from breakglass.errors import UserError
from breakglass.journal import events as e
from breakglass.journal.folders import SessionFolder
from breakglass.runbook.actions import LocalAction
from breakglass.runbook.local_text import local_objection
from breakglass.runbook.model import Runbook
from breakglass.runbook.steps import Step
from breakglass.site.model import Site

if TYPE_CHECKING:
    from breakglass.rehearsal.rehearsal import Rehearsal


class OpeningError(UserError):
    """The session cannot be opened; the message says what is missing and where to put it."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to open. A rehearsal names a scenario, anything else a site; `resume` names a session instead."""

    mode: e.Mode = "rehearsal"
    runbook: Path | Runbook | None = None
    """A runbook's file, or the runbook itself where it is in no file."""
    site: Path | None = None
    scenario: Path | None = None
    inputs: Mapping[str, str] = field(default_factory=dict[str, str])
    resume: str | None = None
    speed: float | None = None
    pace: Pace = "look"
    incident_began: str = ""


@dataclass(frozen=True, slots=True)
class Session:
    """An open session. `rehearsal` is the simulated world, where there is one."""

    engine: Engine
    folder: SessionFolder
    rehearsal: "Rehearsal | None"


def operator_name() -> str:
    """Who is at the keyboard: `BREAKGLASS_OPERATOR`, the login name, or the number of a user without one."""
    named = os.environ.get("BREAKGLASS_OPERATOR")
    if named:
        return named
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def find_others_of(
    folder: SessionFolder, runbook: Runbook, site: Site, mode: e.Mode, stack: AsyncExitStack
) -> FindOthers | None:
    """How a session shows itself to others, and sees them. A rehearsal's world is its own."""
    if site.path is None or mode == "rehearsal" or runbook.name == ADHOC:
        return None
    state = folder.path.parent.parent
    presence = Presence(state, folder.name, runbook.name, site, mode, operator_name())
    stack.push_async_callback(presence.close)
    return presence.find_others


def check_uses(runbook: Runbook, site: Site) -> None:
    """Raise OpeningError for every cluster, host, endpoint, program, secret and variable that the site does
    not have, and for a program of this machine that a step would start past the site's word."""
    where = site.path or f"site {site.name}"
    missing = missing_uses(runbook, site)
    if missing:
        raise OpeningError(f"{where} lacks what runbook {runbook.name} uses: {'; '.join(missing)}")
    for step, wrong in local_objections(runbook, site):
        raise OpeningError(f"step {step.id} of runbook {runbook.name} cannot run on {where}: {wrong}")


def missing_uses(runbook: Runbook, site: Site) -> list[str]:
    """What the runbook uses and the site does not have, in words, kind by kind."""
    wanted = {
        "clusters": (runbook.uses.clusters, site.clusters),
        "hosts": (runbook.uses.hosts, site.hosts),
        "endpoints": (runbook.uses.endpoints, site.endpoints),
        "programs": (runbook.uses.programs, site.local.programs),
        "secrets": (runbook.uses.secrets, site.secrets),
        "variables": (runbook.uses.variables, site.variables),
    }
    return [
        f"{kind}: {', '.join(absent)}{_how_to_name(kind, absent)}"
        for kind, (names, there) in wanted.items()
        if (absent := [name for name in names if name not in there])
    ]


def _how_to_name(kind: str, absent: list[str]) -> str:
    """What to add to the site, where that is not plain from the kind."""
    if kind != "programs":
        return ""
    lines = ", ".join(f"{name}: /usr/bin/{name}" for name in absent)
    return f" (add `local: {{programs: {{{lines}}}}}`, with the paths that they have here)"


def local_objections(runbook: Runbook, site: Site) -> Iterator[tuple[Step, str]]:
    """The steps that start a program of this machine which the site does not name, each with what to do."""
    programs = site.says.programs
    for step in runbook.steps:
        for action in step.actions:
            if isinstance(action, LocalAction) and (wrong := local_objection(action, programs)):
                yield step, wrong
