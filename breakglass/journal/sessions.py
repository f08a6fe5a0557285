"""The sessions that there are, told from the first record of each journal and the last ones, and by which
names one finds them.

Hundreds of sessions are told in the time that one large journal takes to be read whole. What only the whole
of a journal can say, such as that it is untampered, is not said here.
"""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from pathlib import Path
from typing import Literal, TypeAlias

from breakglass.journal import events as e
from breakglass.journal.folders import SessionFolder, StateFolderError, all_sessions
from breakglass.journal.store import FILE_NAME, is_held
from breakglass.yamlio.shape_base import nearest

TAIL = 65_536
"""Bytes at the end of a journal in which its end is sought."""

RECOVERED = b'"kind":"recovered"'
"""What a rehearsal's journal holds once its simulated incident is over."""

How: TypeAlias = e.EndResult | Literal["running", "interrupted", "not recovered", "damaged"]
"""`not recovered`: the walk of a rehearsal says that it is, and the simulated world does not agree."""


@dataclass(frozen=True, slots=True)
class Summary:
    """One session. `by_hand`: one action that was typed, and no walk of a runbook. `last` is the time of the
    last record."""

    session: str
    how: How
    runbook: str = ""
    title: str = ""
    site: str = ""
    mode: e.Mode = "live"
    scenario: str = ""
    operator: str = ""
    began: datetime | None = None
    last: datetime | None = None
    by_hand: bool = False

    @property
    def can_be_resumed(self) -> bool:
        """A rehearsal's world is gone with its program, and one action is typed again."""
        return self.how in ("stopped", "interrupted") and not self.scenario and not self.by_hand


def summary_of(folder: SessionFolder) -> Summary:
    """What a session was and how it ended. One that cannot be read is damaged."""
    path = folder.path / FILE_NAME
    try:
        head, tail = _ends(path)
        first = json.loads(head)
        event = e.decode(first["type"], first["data"])
        if not isinstance(event, e.SessionStarted):
            return Summary(folder.name, "damaged")
        ended, last = _end(tail)
        return Summary(
            session=folder.name,
            how=_how(ended, event, path, folder),
            runbook=event.runbook,
            title=event.title,
            site=event.site,
            mode=event.mode,
            scenario=event.scenario,
            operator=event.operator,
            began=datetime.fromisoformat(first["time"]),
            last=last,
            by_hand=not event.runbook_path,
        )
    except (OSError, ValueError, KeyError, TypeError):
        return Summary(folder.name, "damaged")


def _ends(path: Path) -> tuple[bytes, list[bytes]]:
    """The first line, and the whole lines at the end."""
    with path.open("rb") as file:
        head = file.readline()
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - TAIL, 0))
        tail = file.read().split(b"\n")[:-1]
    return head, tail if size <= TAIL else tail[1:]


def _end(tail: Iterable[bytes]) -> tuple[e.SessionEnded | None, datetime | None]:
    """The end that counts, and the time of the last record. What was resumed afterwards did not end."""
    last: datetime | None = None
    for line in reversed(list(tail)):
        record = json.loads(line)
        last = last or datetime.fromisoformat(record["time"])
        if record["type"] == e.SessionEnded.type:
            event = e.decode(record["type"], record["data"])
            return (event if isinstance(event, e.SessionEnded) else None), last
        if record["type"] == e.SessionResumed.type:
            break
    return None, last


def _how(ended: e.SessionEnded | None, event: e.SessionStarted, path: Path, folder: SessionFolder) -> How:
    if ended is None:
        return "running" if is_held(folder.path) else "interrupted"
    claims = event.mode == "rehearsal" and ended.result in ("recovered", "completed")
    return "not recovered" if claims and RECOVERED not in path.read_bytes() else ended.result


def find_session(state: Path, name: str) -> SessionFolder:
    """The session with this name, or the only one that begins with it, or the newest walk for `last`.

    One action that was typed by hand is no walk; it is the last one only where there is nothing else. Raises
    StateFolderError naming the sessions that were probably meant.
    """
    folders = {folder.name: folder for folder in all_sessions(state)}
    if name == "last" and folders:
        newest = [folders[each] for each in sorted(folders, reverse=True)]
        return next((folder for folder in newest if not summary_of(folder).by_hand), newest[0])
    matching = [folders[name]] if name in folders else [f for n, f in folders.items() if n.startswith(name)]
    if len(matching) == 1:
        return matching[0]
    if not folders:
        raise StateFolderError(f"no session is called {name!r}: there is none yet")
    if matching:
        some = ", ".join(folder.name for folder in matching[-3:])
        raise StateFolderError(
            f"{len(matching)} sessions begin with {name!r}, such as {some}; type more of it"
        )
    near = [each for each in folders if name in each][-3:] or [
        *filter(None, [nearest(name, ["last", *folders])])
    ]
    hint = f"did you mean {' or '.join(near)}?" if near else "`breakglass sessions` lists them"
    raise StateFolderError(f"no session is called {name!r}; {hint}")


def _alike(one: str, other: str) -> int:
    """How many characters two names begin with in common."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def shortest(names: Iterable[str], least: int = 16) -> dict[str, str]:
    """Each name's shortest beginning that no other has, of at least so many characters: what one types."""
    ordered = sorted(names)
    short: dict[str, str] = {}
    for at, name in enumerate(ordered):
        beside = [*ordered[max(at - 1, 0) : at], *ordered[at + 1 : at + 2]]
        common = max((_alike(name, other) for other in beside), default=0)
        short[name] = name[: max(least, common + 1)]
    return short
