"""What the preflight asks for, as data: the answers so far, what is wrong with them, the request made."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import platformdirs

from breakglass.engine.opening import input_value
from breakglass.engine.session import OpeningError, Request, check_uses
from breakglass.errors import CommandRefusedError
from breakglass.journal import events as e
from breakglass.runbook.model import Input, Runbook
from breakglass.site.model import Site
from breakglass.values import Json


@dataclass(frozen=True, slots=True)
class Form:
    """The answers as they stand. `site` is what `site_file` was read as, or `site_problem` says why not."""

    mode: e.Mode = "rehearsal"
    scenario: Path | None = None
    site_file: str = ""
    site: Site | None = None
    site_problem: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict[str, str])
    began: str = ""
    site_typed: str = ""
    """For live mode, the site's name as typed: the one extra step."""


def default_text(definition: Input) -> str:
    """An input's default as it is typed."""
    return as_typed(definition.default) if definition.has_default else ""


def as_typed(value: Json) -> str:
    """A value as an operator would type it."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def input_problem(definition: Input, text: str) -> str:
    """Why the text is not a value for the input; empty when it is."""
    if definition.has_default and text == default_text(definition):
        return ""
    if not text:
        return "needs a value"
    try:
        input_value(definition, text)
    except CommandRefusedError as error:
        return str(error)
    return ""


def began_problem(text: str) -> str:
    """Why the text is not a time; empty when it is one, or when there is none."""
    try:
        began_at(text, datetime.now(UTC))
    except ValueError:
        return "write HH:MM, or a date and time as in 2026-04-18T03:11, in UTC"
    return ""


def began_at(text: str, now: datetime) -> str:
    """A time as it is typed, as ISO 8601 in UTC. `HH:MM` is the last time that it was that late.

    Raises ValueError for what is no time.
    """
    text = text.strip()
    if not text:
        return ""
    if "-" in text:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    clock = datetime.strptime(text.removesuffix("Z"), "%H:%M")
    moment = now.replace(hour=clock.hour, minute=clock.minute, second=0, microsecond=0)
    return (moment if moment <= now else moment - timedelta(days=1)).isoformat()


def problems(form: Form, runbook: Runbook) -> dict[str, str]:
    """What is missing or wrong, by field, in the order of the screen. Empty when the session can begin."""
    wrong: dict[str, str] = {}
    if form.mode == "rehearsal":
        if form.scenario is None:
            wrong["scenario"] = "choose a scenario"
    elif form.site is None:
        wrong["site"] = form.site_problem or "name a site file"
    else:
        missing = uses_problem(runbook, form.site)
        if missing:
            wrong["site"] = missing
    for each in runbook.inputs:
        text = form.inputs.get(each.name, default_text(each))
        told = form.mode == "rehearsal" and form.scenario is not None and not each.has_default
        problem = "" if told and not text else input_problem(each, text)
        if problem:
            wrong[f"input-{each.name}"] = f"{each.name}: {problem}"
    if form.mode != "rehearsal" and began_problem(form.began):
        wrong["began"] = began_problem(form.began)
    if form.mode == "live" and form.site is not None and form.site_typed != form.site.name:
        wrong["typed"] = f"type the site's name, {form.site.name}"
    return wrong


def uses_problem(runbook: Runbook, site: Site) -> str:
    """What the site lacks of what the runbook uses; empty when it has all."""
    try:
        check_uses(runbook, site)
    except OpeningError as error:
        return str(error)
    return ""


def request_of(form: Form, runbook: Runbook, path: Path, now: datetime) -> Request:
    """The session that the answers ask for. Inputs left at their default are not among those given."""
    given = {
        each.name: form.inputs[each.name]
        for each in runbook.inputs
        if each.name in form.inputs and form.inputs[each.name] != default_text(each)
    }
    rehearsal = form.mode == "rehearsal"
    return Request(
        mode=form.mode,
        runbook=path,
        scenario=form.scenario if rehearsal else None,
        site=None if rehearsal else Path(form.site_file).expanduser(),
        inputs=given,
        incident_began="" if rehearsal else began_at(form.began, now),
    )


def site_files() -> list[Path]:
    """Files that may be sites: the working directory's, then those of the configuration folder."""
    return list(_site_files(Path(), Path(platformdirs.user_config_dir("breakglass"))))


def _site_files(here: Path, configuration: Path) -> Iterable[Path]:
    for folder in (here, configuration):
        yield from (path for path in (folder / "site.yaml",) if path.is_file())
        yield from sorted((folder / "sites").glob("*.yaml"))
