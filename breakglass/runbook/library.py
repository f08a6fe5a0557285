"""Where runbooks are found: a folder that is named, the working directory's, and those that ship."""

import os
from pathlib import Path
from typing import NamedTuple

from breakglass.errors import UserError

SHIPPED = Path(__file__).parent.parent / "_shipped" / "runbooks"
BESIDE_THE_SOURCE = Path(__file__).parent.parent.parent / "runbooks"


class RunbookNotFoundError(UserError):
    """No runbook has this name; the message says where was looked and what is there."""


class Found(NamedTuple):
    """A runbook's folder: `runbook.yaml`, and scenarios beside it."""

    name: str
    path: Path

    @property
    def scenarios(self) -> tuple[Path, ...]:
        return tuple(sorted((self.path.parent / "scenarios").glob("*.yaml")))


def folders() -> list[Path]:
    """The folders that are searched, first match first: `BREAKGLASS_RUNBOOKS`, `./runbooks`, the shipped."""
    named = os.environ.get("BREAKGLASS_RUNBOOKS")
    places = [Path(named)] if named else []
    shipped = SHIPPED if SHIPPED.is_dir() else BESIDE_THE_SOURCE
    places += [Path("runbooks"), shipped]
    seen: dict[Path, Path] = {}
    for place in places:
        if place.is_dir():
            seen.setdefault(place.resolve(), place)
    return list(seen.values())


def all_runbooks() -> list[Found]:
    """Every runbook that can be found, by name; a name found twice counts where it is found first."""
    found: dict[str, Found] = {}
    for folder in folders():
        for path in sorted(folder.glob("*/runbook.yaml")):
            found.setdefault(path.parent.name, Found(path.parent.name, path))
    return [found[name] for name in sorted(found)]


def find_runbook(name: str) -> Found:
    """The runbook with this name, or at this path. Raises RunbookNotFoundError."""
    path = Path(name)
    if path.is_dir() and (path / "runbook.yaml").is_file():
        path = path / "runbook.yaml"
    if path.is_file():
        return Found(path.parent.name if path.name == "runbook.yaml" else path.stem, path)
    known = all_runbooks()
    for found in known:
        if found.name == name:
            return found
    names = ", ".join(found.name for found in known) or "none"
    places = ", ".join(str(folder) for folder in folders()) or "no folder"
    raise RunbookNotFoundError(f"no runbook is called {name!r}. Looked in {places}; there: {names}")


def find_scenario(found: Found, name: str | None) -> Path:
    """A runbook's scenario by name or path; without a name, the recorded incident, else the first.

    Raises RunbookNotFoundError naming the scenarios there are.
    """
    if name is not None and Path(name).is_file():
        return Path(name)
    by_name = {path.stem: path for path in found.scenarios}
    if name is None and by_name:
        return by_name.get("recorded-incident", next(iter(by_name.values())))
    if name in by_name:
        return by_name[name]
    known = ", ".join(by_name) or "none"
    raise RunbookNotFoundError(f"runbook {found.name} has no scenario {name or ''!r}; it has: {known}")
