"""What the lower pane shows: the output of an attempt, live or stored; the timeline; the captured values."""

import asyncio
from collections.abc import Hashable, Iterator
from pathlib import Path

from breakglass.journal.state import Attempt, State
from breakglass.report.findings import findings
from breakglass.report.timeline import timeline
from breakglass.transport.output import open_output, shortened
from breakglass.tui.output_lines import FixedLines, Joined, LineSource
from breakglass.tui.screens.walk.card import finished_words
from breakglass.tui.session_view import SessionView
from breakglass.tui.widgets.text import clock, plain, seconds, shown_value, shown_values

MOST_KEPT_OPEN = 16
"""Stored outputs that are kept open; each holds a file and an index."""


class Contents:
    """Finds the lines of an attempt's output. Stored outputs are opened in a thread and kept for a while."""

    def __init__(self, walk: SessionView) -> None:
        self._walk = walk
        self._open: dict[str, LineSource] = {}
        self._opening: set[asyncio.Task[None]] = set()

    def of(self, step: str, attempt: Attempt | None) -> tuple[Hashable, LineSource | None]:
        """The lines of an attempt, and a key that changes with them. None while a file is being opened."""
        if attempt is None:
            return (step, 0), FixedLines(())
        live = self._walk.live
        if not attempt.finished:
            view = self._walk.state.steps.get(step)
            newest = step == self._walk.state.current and view is not None and attempt is view.last
            under_way = newest and bool(attempt.prepared) and live is not None
            return (step, attempt.number, id(live) if under_way else 0), live if under_way else FixedLines(())
        parts: list[LineSource] = []
        several = len(attempt.prepared) > 1
        for finish in attempt.finished:
            if several and finish.item < len(attempt.prepared):
                parts.append(FixedLines((f"-- {_one_line(attempt.prepared[finish.item].command)} --",)))
            if finish.output and finish.output_lines:
                stored = self._stored(finish.output, "\n".join(filter(None, (finish.head, finish.tail))))
                if stored is None:
                    return None, None
                parts.append(stored)
            elif finish.head:
                parts.append(FixedLines([plain(line) for line in finish.head.split("\n")]))
            parts.append(FixedLines((f"-- {finished_words(finish)} --",)))
        return (step, attempt.number, len(attempt.finished)), Joined(parts)

    def _stored(self, name: str, ends: str) -> LineSource | None:
        found = self._open.get(name)
        if found is None and not self._opening:
            task = asyncio.create_task(self._open_file(name, ends))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)
        return found

    async def _open_file(self, name: str, ends: str) -> None:
        path = self._walk.output_folder / Path(name).name
        try:
            lines: LineSource = await asyncio.to_thread(open_output, path)
        except OSError as error:
            kept = [plain(line) for line in ends.split("\n")]
            lines = FixedLines((f"-- {error.strerror}: {path} --", "-- what the record keeps: --", *kept))
        while len(self._open) >= MOST_KEPT_OPEN:
            self._open.pop(next(iter(self._open)))
        self._open[name] = lines


def _one_line(command: str) -> str:
    return plain("  ".join(command.split("\n")))


def timeline_lines(state: State) -> list[str]:
    """The session's timeline, one line a fact."""
    entries = timeline(state)
    width = max((len(entry.step) for entry in entries), default=0)
    return [
        f"{entry.time:%H:%M:%S}Z  T+{clock(entry.elapsed)}  {plain(entry.step):{width}}  {plain(entry.text)}"
        for entry in entries
    ]


def finding_lines(state: State) -> list[str]:
    """What was found, one line an answered question."""
    found = findings(state)
    width = max((len(each.step) for each in found), default=0)
    return [f"{each.time:%H:%M:%S}Z  {plain(each.step):{width}}  {plain(each.text)}" for each in found]


def value_lines(state: State, attempt: Attempt | None) -> list[str]:
    """The conditions of an attempt with what they read, the inputs, and the captured values in scope."""
    conditions = list(_conditions(attempt)) if attempt is not None else []
    inputs = [f"inputs.{plain(name)} = {shown_value(value)}" for name, value in state.inputs.items()]
    return [
        *conditions,
        *inputs,
        *(f"{plain(name)} = {shortened(shown_value(value))}" for name, value in state.values.items()),
    ]


def _conditions(attempt: Attempt) -> Iterator[str]:
    for each in (*(need for _, need in attempt.needs), *attempt.judged):
        held = "holds" if each.holds else "DOES NOT HOLD"
        yield f"{held}: {plain(each.that)}   {shown_values(each.observed)}".rstrip()
    poll = attempt.last_poll
    if poll is not None:
        held = "holds" if poll.holds else "DOES NOT HOLD"
        yield f"{held}: {shown_values(poll.observed)} ({seconds(poll.elapsed)})"
