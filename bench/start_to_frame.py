"""From exec to the first painted frame of the library with 50 runbooks, in a pseudo-terminal.

The first frame is there when the program's own title was written. Cold means that the files of all sides were
dropped from the page cache before each run.
"""

import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.measure import Line, Sample, by_turns, children_cpu, compared
from bench.peers import VENVS, peer
from bench.runbooks import make_runbooks
from bench.terminal import in_terminal

BARE = """
from textual.app import App
from textual.widgets import Static

class Bare(App):
    def compose(self):
        yield Static("a bare application")

Bare().run()
"""
BESIDE: dict[str, float | None] = {"bare Textual app": 1.25, "harlequin": 1 / 3, "posting": None}


def measure(work: Path) -> list[Line]:
    bare = work / "bare.py"
    bare.write_text(BARE)
    places = {
        "BREAKGLASS_RUNBOOKS": str(make_runbooks(work / "runbooks")),
        **{f"XDG_{each}_HOME": str(work / each.lower()) for each in ("STATE", "CONFIG", "DATA", "CACHE")},
        "HOME": str(work),
    }
    breakglass = Path(sys.executable).parent / "breakglass"
    commands: dict[str, tuple[Sequence[str | Path], bytes]] = {
        "breakglass": ([breakglass], b" library "),
        "bare Textual app": ([sys.executable, bare], b"a bare application"),
        "harlequin": ([peer("harlequin"), "--no-download-tzdata"], b"Data Catalog"),
        "posting": ([peer("posting")], b"Posting"),
    }

    def side(name: str, *, cold: bool) -> Sample:
        argv, title = commands[name]
        if cold:
            drop_from_cache()
        return first_frame(argv, title, places, work)

    lines: list[Line] = []
    for cold, rounds in ((False, 7), (True, 3)):
        sides = {name: (lambda n=name, c=cold: side(n, cold=c)) for name in commands}
        medians = by_turns(sides, rounds)
        what = f"exec to first frame, {'cold' if cold else 'warm'}"
        lines += compared(what, medians, "breakglass", BESIDE, cpu=not cold)
    return lines


def first_frame(
    argv: Sequence[str | Path], title: bytes, environment: Mapping[str, str], folder: Path
) -> Sample:
    before, started = children_cpu(), time.perf_counter()
    with in_terminal(argv, environment, folder) as (screen, _):
        screen.until(title)
        seconds = time.perf_counter() - started
    return Sample(seconds, children_cpu() - before)


def drop_from_cache() -> None:
    """Drop the files of all environments and of Python from the page cache, as far as nobody maps them."""
    for folder in (Path(sys.prefix), VENVS, Path(os.__file__).parent):
        for path in folder.rglob("*"):
            if path.is_file():
                descriptor = os.open(path, os.O_RDONLY)
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
                os.close(descriptor)
