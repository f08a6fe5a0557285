"""Where runbooks are found: a folder that is named, the working directory's, and those that ship."""

import os
from pathlib import Path
from typing import NamedTuple

from breakglass.errors import UserError

SHIPPED = Path(__file__).parent.parent / "_shipped" / "runbooks"
BESIDE_THE_SOURCE = Path(__file__).parent.parent.parent / "runbooks"


class RunbookNotFoundError(UserError):
    """No runbook has this name; the message says where was looked and what is there."""


class AmbiguousRunbookError(UserError):
    """Two runbooks have this name; the message names both, and neither is chosen."""


class Found(NamedTuple):
    """A runbook's folder: `runbook.yaml`, and scenarios beside it."""

    name: str
    path: Path

    @property
    def origin(self) -> str:
        """Where it comes from, in words."""
        return origin_of(self.path)

    @property
    def scenarios(self) -> tuple[Path, ...]:
        return tuple(sorted((self.path.parent / "scenarios").glob("*.yaml")))


def origin_of(path: Path) -> str:
    """Where a runbook's file comes from, in words: `shipped`, or the folder that holds it."""
    folder = path.parent.parent if path.name == "runbook.yaml" else path.parent
    if folder.resolve() == _shipped().resolve():
        return "shipped"
    from_variable = folder.resolve() in [each.resolve() for each in named_folders()]
    return f"BREAKGLASS_RUNBOOKS: {folder}" if from_variable else str(folder)


def origin_words(path: Path) -> str:
    """The same in a sentence: `shipped`, or `from` and the folder."""
    origin = origin_of(path)
    return origin if origin == "shipped" else f"from {origin}"


def _shipped() -> Path:
    return SHIPPED if SHIPPED.is_dir() else BESIDE_THE_SOURCE


def named_folders() -> list[Path]:
    """The folders in `BREAKGLASS_RUNBOOKS`, with `:` between them as in PATH."""
    named = os.environ.get("BREAKGLASS_RUNBOOKS", "").split(os.pathsep)
    return [Path(each).expanduser() for each in named if each]


def missing_folders() -> list[Path]:
    """Folders that `BREAKGLASS_RUNBOOKS` names and that are not there."""
    return [each for each in named_folders() if not each.is_dir()]


def folders() -> list[Path]:
    """The folders that are searched: those of `BREAKGLASS_RUNBOOKS`, `./runbooks`, the shipped."""
    places = [*named_folders(), Path("runbooks"), _shipped()]
    seen: dict[Path, Path] = {}
    for place in places:
        if place.is_dir():
            seen.setdefault(place.resolve(), place)
    return list(seen.values())


def all_runbooks() -> list[Found]:
    """Every runbook that can be found, by name. Where two have one name, both are there: none takes the
    other's place."""
    found = [each for folder in folders() for each in runbooks_in(folder)]
    return sorted(found, key=lambda each: each.name)


def runbooks_in(folder: Path) -> list[Found]:
    """Every runbook of one folder, by name."""
    return [Found(path.parent.name, path) for path in sorted(folder.glob("*/runbook.yaml"))]


def unique_runbooks() -> list[Found]:
    """Every runbook that can be found. Raises AmbiguousRunbookError where two have one name."""
    found = all_runbooks()
    for same in doubled(found).values():
        raise AmbiguousRunbookError(f"{ambiguous(same)}; rename one, or give paths")
    return found


def doubled(found: list[Found]) -> dict[str, list[Found]]:
    """The runbooks that share a name, by that name."""
    by_name: dict[str, list[Found]] = {}
    for each in found:
        by_name.setdefault(each.name, []).append(each)
    return {name: same for name, same in by_name.items() if len(same) > 1}


def find_runbook(name: str) -> Found:
    """The runbook with this name, or at this path. Raises RunbookNotFoundError, and AmbiguousRunbookError
    where two have the name."""
    path = Path(name)
    if path.is_dir() and (path / "runbook.yaml").is_file():
        path = path / "runbook.yaml"
    if path.is_file():
        return Found(path.parent.name if path.name == "runbook.yaml" else path.stem, path)
    known = all_runbooks()
    same = [found for found in known if found.name == name]
    if len(same) > 1:
        raise AmbiguousRunbookError(f"{ambiguous(same)}; give its path instead of its name")
    if same:
        return same[0]
    places = ", ".join(str(folder) for folder in folders()) or "no folder"
    offered = _offered(name, [found.name for found in known])
    raise RunbookNotFoundError(f"no runbook is called {name!r}{offered} Looked in {places}.")


def _offered(name: str, known: list[str]) -> str:
    """The end of a sentence about an unknown name: those that hold it or are like it, else all of them."""
    near = [each for each in known if name and name.lower() in each]
    if not near:
        from difflib import get_close_matches

        by_word = {word: each for each in reversed(known) for word in (each, *each.split("-"))}
        near = [by_word[word] for word in get_close_matches(name.lower(), by_word, n=1, cutoff=0.7)]
    if near:
        return f"; did you mean {' or '.join(near)}?"
    return f"; there: {', '.join(known) or 'none'}."


def runbook_beside(scenario: Path) -> Path | None:
    """The runbook in whose folder `scenarios` a scenario lies; None for one that lies elsewhere."""
    path = scenario.absolute().parent.parent / "runbook.yaml"
    return path if scenario.absolute().parent.name == "scenarios" and path.is_file() else None


def ambiguous(same: list[Found]) -> str:
    """That runbooks have one name, with where each is."""
    return f"two runbooks are called {same[0].name!r}: {' and '.join(str(each.path) for each in same)}"


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
    raise RunbookNotFoundError(
        f"runbook {found.name} has no scenario {name or ''!r}{_offered(name or '', [*by_name])}"
    )
