"""The library's rows and preview as styled text, for a width. Nothing from a file is parsed as markup."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.text import Text

from breakglass.tui.screens.library.catalogue import CatalogueEntry, Past, RehearsalResult, Rehearsed
from breakglass.tui.theme import BANDS, Appearance
from breakglass.tui.widgets.text import folded, labelled, plain

if TYPE_CHECKING:
    from breakglass.journal.state import State
    from breakglass.runbook.model import Runbook
    from breakglass.runbook.text_search import Match

INDENT = 5

RESULT_MARKS: dict[RehearsalResult, str] = {
    "recovered": "ok",
    "not this incident": "ok",
    "escalated": "shown",
    "stopped": "suspect",
    "not recovered": "failed",
}


def runbook_row(
    entry: CatalogueEntry, past: Past, match: "Match | None", look: Appearance, width: int
) -> list[Text]:
    """Severity, name and last rehearsal; then title and owner, or the phrase that a search found."""
    muted = look.style("muted")
    if entry.runbook is None:
        more = f" (and {entry.problems - 1} more)" if entry.problems > 1 else ""
        name = Text.assemble(
            (f"{look.mark('failed'):<{INDENT}}", look.mark_style("failed")), (plain(entry.found.name), "bold")
        )
        said = Text("cannot be used", look.style("failed"))
        return [*side_by_side(name, said, width), *_below(f"{plain(entry.problem)}{more}", width, muted)]
    runbook = entry.runbook
    name = Text.assemble(
        (f"{runbook.severity} ", look.style("suspect") if runbook.severity == "sev1" else muted),
        (plain(runbook.name), "bold"),
    )
    second = plain(runbook.title) + (f"   owner {plain(runbook.owner)}" if runbook.owner else "")
    if entry.origin != "shipped":
        second += f"   {plain(entry.origin)}"
    if match is not None and match.kind not in ("", "name", "title"):
        second = f"{match.kind}: {plain(match.phrase)}"
    rehearsed = rehearsed_words(past.rehearsed.get(runbook.name), look)
    return [*side_by_side(name, rehearsed, width), *_below(second, width, muted)]


def side_by_side(left: Text, right: Text, width: int) -> list[Text]:
    """The second at the right edge of the first one's line, or below it where there is no room."""
    blank = width - left.cell_len - right.cell_len
    if blank < 2:
        return [left, Text.assemble(" " * INDENT, right)]
    return [Text.assemble(left, " " * blank, right)]


def _below(words: str, width: int, style: str) -> list[Text]:
    return [Text(" " * INDENT + line, style) for line in folded(words, width - INDENT)]


def rehearsed_words(rehearsed: Rehearsed | None, look: Appearance) -> Text:
    """When a runbook was last rehearsed and how that went, in a word and a glyph."""
    if rehearsed is None:
        return Text("never rehearsed", look.style("muted"))
    mark = RESULT_MARKS[rehearsed.result]
    return Text.assemble(
        (f"rehearsed {rehearsed.began:%Y-%m-%d} ", look.style("muted")),
        (f"{look.mark(mark)} {rehearsed.result}", look.mark_style(mark)),
    )


def session_row(state: "State", look: Appearance, width: int) -> list[Text]:
    """Mode, runbook and site; then since when, and where it stopped."""
    began = f"{state.started.time:%Y-%m-%d %H:%M}Z" if state.started is not None else "?"
    first = Text.assemble(
        (f" {BANDS[state.mode].word} ", BANDS[state.mode].style), (f" {plain(state.runbook)}", "bold")
    )
    where = Text(f"on {plain(state.site)}  {began}", look.style("muted"))
    stopped = where_it_stopped(state, look)
    return [
        *side_by_side(first, where, width),
        *(Text(" " * INDENT + line, stopped.style) for line in folded(stopped.plain, width - INDENT)),
    ]


def where_it_stopped(state: "State", look: Appearance) -> Text:
    """The step that a session is at. A change that may have happened is said first."""
    if state.unknown or any(view.last and view.last.open_intents for view in state.steps.values()):
        words, mark = "a change may have happened", "unknown"
    elif state.ended is not None:
        words, mark = "stopped", "waiting"
    else:
        words, mark = "did not end: interrupted, or still open elsewhere", "waiting"
    step = f", at step {plain(state.current)}" if state.current else ""
    return Text(f"{look.mark(mark)} {words}{step}", look.mark_style(mark))


def heading(words: str, look: Appearance) -> Text:
    return Text(words, f"bold {look.style('accent')}")


def entry_preview(entry: CatalogueEntry, past: Past, look: Appearance, width: int) -> Text:
    """What a person reads before opening a runbook; for a broken one, what is wrong and where."""
    if entry.runbook is None:
        lint = f"breakglass lint {plain(entry.found.name)}" if entry.problems else ""
        again = f" names all {entry.problems}." if entry.problems > 1 else " says it again after an edit."
        return Text.assemble(
            (f"{plain(entry.found.name)} cannot be used\n\n", f"bold {look.style('failed')}"),
            f"{plain(entry.problem)}\n\n",
            (lint, "bold"),
            again if lint else "",
        )
    runbook = entry.runbook
    latest = past.rehearsed.get(runbook.name)
    lines = [
        Text(plain(runbook.title), "bold"),
        Text(plain(runbook.summary)),
        Text(),
        *_list("SYMPTOMS", runbook.symptoms, look, width),
        *_list("ALERTS", runbook.alerts, look, width),
        *_list("AFFECTS", runbook.affected, look, width),
        *_list("USES", _uses(runbook), look, width),
        *_list("REHEARSE", [path.stem for path in entry.found.scenarios], look, width),
        Text.assemble(heading("LAST  ", look), rehearsed_words(latest, look)),
        *([Text(f"      scenario {plain(latest.scenario)}")] if latest else []),
        Text(),
        Text(
            f"steps {len(runbook.steps)}   owner {plain(runbook.owner) or 'not named'}", look.style("muted")
        ),
        Text(plain(f"{entry.origin}: {runbook.path}"), look.style("muted")),
    ]
    return Text("\n").join(lines)


def session_preview(state: "State", look: Appearance) -> Text:
    """An unfinished session: what it was, how far it came, and what resuming will do."""
    lines = [
        Text.assemble((f" {BANDS[state.mode].word} ", BANDS[state.mode].style), f"  {plain(state.site)}"),
        Text(plain(state.title), "bold"),
        Text(),
        where_it_stopped(state, look),
        Text(),
        heading("STEPS SO FAR", look),
    ]
    for name, view in state.steps.items():
        lines.append(
            Text.assemble(
                (f"  {look.mark(view.status)} ", look.mark_style(view.status)),
                f"{plain(name)}  ",
                (view.status, look.style("muted")),
            )
        )
    lines += [
        Text(),
        Text("Resuming never repeats a change without asking.", look.style("muted")),
        Text(plain(state.session), look.style("muted")),
    ]
    return Text("\n").join(lines)


def _list(title: str, items: Iterable[str], look: Appearance, width: int) -> Iterable[Text]:
    rows = [row for item in items for row in labelled("  ", plain(item), width, indent=2)]
    return [heading(title, look), *rows, Text()] if rows else []


def _uses(runbook: "Runbook") -> Iterable[str]:
    for kind in ("clusters", "hosts", "endpoints", "secrets", "variables", "programs"):
        names: tuple[str, ...] = getattr(runbook.uses, kind)
        if names:
            yield f"{kind}: {', '.join(names)}"
