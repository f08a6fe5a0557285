"""The preflight screen: is it the right runbook, then mode, place and inputs, then one deliberate beginning.

Up and Down move through the fields, Enter takes one. Nothing is sent to a site but the reads of its checks.
"""

from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar, cast

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widgets import Input, Static

from breakglass.engine.doctor import Check
from breakglass.errors import UserError
from breakglass.journal import events as e
from breakglass.runbook.assessed import assessed_on, vouched_steps
from breakglass.runbook.library import Found, find_scenario, origin_words
from breakglass.runbook.load import load_runbook
from breakglass.runbook.model import Runbook
from breakglass.site.load import load_site
from breakglass.site.model import Site
from breakglass.threads import in_thread
from breakglass.tui.base import cockpit
from breakglass.tui.keys import bindings
from breakglass.tui.screens.preflight.checks import Checks, site_checks
from breakglass.tui.screens.preflight.fields import LineField, Pressed, PressRow, Unpasted
from breakglass.tui.screens.preflight.form import (
    Form,
    default_text,
    problems,
    request_of,
    site_files,
    uses_problem,
)
from breakglass.tui.theme import BANDS
from breakglass.tui.widgets.footer import Footer
from breakglass.tui.widgets.inputs import TextLine
from breakglass.tui.widgets.page import Page, PageScreen
from breakglass.tui.widgets.text import flowed, folded, labelled, plain

MODES: dict[e.Mode, str] = {
    "rehearsal": "a simulated incident on this machine",
    "dry-run": "a real site; reads only, nothing is changed",
    "live": "a real site; every change needs your confirmation",
}


TOLD_IN_A_REHEARSAL = " (in a rehearsal, leave it empty: the scenario fills it in)"


class PreflightScreen(PageScreen):
    """One runbook before its walk. Ends by beginning a session, or by going back."""

    place = "preflight"
    CSS_PATH = "preflight.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-tight"), (56, "-roomy")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("preflight")]

    def __init__(self, found: Found, checks: Checks = site_checks) -> None:
        super().__init__()
        self._found = found
        self._runbook: Runbook | None = None
        self._on_site: Runbook | None = None
        """The runbook as it counts on the site, where one is named."""
        self._checks = checks
        self._checked: tuple[Check, ...] = ()
        self._checked_site: Site | None = None
        """The site that the checks are about. Each site is looked at once: its doors may count."""
        self._checking = False
        first = next(iter(site_files()), None)
        self._form = Form(
            scenario=find_scenario(found, None) if found.scenarios else None,
            site_file=str(first) if first is not None else "",
        )

    def compose(self) -> ComposeResult:
        yield Static(id="heading", markup=False)
        with Page():
            yield Static("reading the runbook", id="about", markup=False)
            yield Vertical(id="fields")
        with Vertical(id="last"):
            yield LineField("site's name", "", Unpasted(id="typed", select_on_focus=False))
            yield PressRow(self._begin_words, id="begin")
        yield Footer()

    def recolour(self) -> None:
        self._show()

    async def on_mount(self) -> None:
        try:
            self._runbook = await in_thread(lambda: load_runbook(self._found.path))
        except UserError as error:
            self.query_one("#about", Static).update(Text(plain(str(error))))
            return
        await self.query_one("#fields").mount(*self._fields(self._runbook))
        self.query_one("#mode-rehearsal").focus(scroll_visible=False)
        self._show()
        self._read_site()

    def _fields(self, runbook: Runbook) -> "list[Static | LineField]":
        scenarios = [
            PressRow(self._scenario_words, id=f"scenario-{at}") for at, _ in enumerate(self._found.scenarios)
        ]
        inputs = [
            LineField(
                each.name,
                each.help if each.has_default else f"{each.help}{TOLD_IN_A_REHEARSAL}",
                TextLine(default_text(each), id=f"input-{each.name}", select_on_focus=False),
            )
            for each in runbook.inputs
        ]
        site = TextLine(self._form.site_file, id="site", select_on_focus=False)
        began = TextLine(id="began", select_on_focus=False)
        return [
            Static("MODE", classes="title", markup=False),
            *(PressRow(self._mode_words, id=f"mode-{mode}") for mode in MODES),
            Static("SCENARIO", id="title-scenario", classes="title", markup=False),
            *scenarios,
            Static("SITE", id="title-site", classes="title", markup=False),
            LineField("file", "", site),
            Static(id="checks", markup=False),
            LineField("alert fired at", "UTC; HH:MM, or empty if unknown", began),
            *([Static("INPUTS", classes="title", markup=False)] if inputs else []),
            *inputs,
        ]

    # ---------------------------------------------------------------- what is shown
    def _show(self) -> None:
        runbook = self._runbook
        if runbook is None or not self.page_width or not self.query("#mode-live"):
            return
        look = cockpit(self).look
        wrong = problems(self._form, runbook)
        live, on_site = self._form.mode == "live", self._form.mode != "rehearsal"
        self.query_one("#heading", Static).update(self._heading(runbook))
        self.query_one("#about", Static).update(self._about(runbook))
        for selector in ("#title-scenario", *(f"#scenario-{at}" for at in range(len(self._found.scenarios)))):
            self.query_one(selector).display = not on_site
        for selector in ("#title-site", "#field-site", "#field-began"):
            self.query_one(selector).display = on_site
        about_it = on_site and self._checked_site == self._form.site
        self.query_one("#checks").display = about_it and bool(self._checked or self._checking)
        self.query_one("#checks", Static).update(self._checks_text())
        self.query_one("#field-typed", LineField).say("")
        self.query_one("#field-typed").display = live and self._form.site is not None
        for title in self.query(".title").results(Static):
            title.styles.color = look.style("accent")
        for field in self.query("#fields LineField").results(LineField):
            name = (field.id or "").removeprefix("field-")
            field.say(wrong.get(name, "").removeprefix(f"{name.removeprefix('input-')}: "))
        for row in self.query(PressRow):
            row.draw()
        self.query_one(Footer).show(self.available(), look)

    def _heading(self, runbook: Runbook) -> Text:
        look = cockpit(self).look
        band = BANDS[self._form.mode]
        site = self._form.site
        where = f"{site.name} (prod)" if site and site.production else site.name if site else ""
        if self._form.mode == "rehearsal":
            where = ""
        facts = [
            f" {band.word} ",
            *([plain(where)] if where else []),
            "preflight",
            plain(runbook.name),
            runbook.severity,
        ]
        text = Text("\n".join(flowed(facts, self.size.width - 2)), look.style("muted"))
        text.stylize(band.style, 0, len(band.word) + 2)
        return text

    def _about(self, runbook: Runbook) -> Text:
        look = cockpit(self).look
        title, muted = f"bold {look.style('accent')}", look.style("muted")
        origin = plain(f"{origin_words(self._found.path)}: {self._found.path}")
        lines = [
            Text(plain(runbook.title), "bold"),
            Text(plain(runbook.summary)),
            Text(origin, muted),
            Text(),
        ]
        for heading, some in (("IS IT THIS ONE?", runbook.symptoms), ("ALERTS", runbook.alerts)):
            if some:
                lines.append(Text(heading, title))
                lines += [
                    Text(f"  {line}") for line in flowed(map(plain, some), self.page_width - 2, gap="  ·  ")
                ]
        if runbook.affected:
            lines.append(Text("AFFECTS", title))
            lines += [
                Text(f"  {line}", muted) for line in folded(", ".join(runbook.affected), self.page_width - 2)
            ]
        if runbook.preflight:
            lines.append(Text("BEFORE YOU BEGIN", title))
            for question in runbook.preflight:
                lines += labelled("  - ", question, self.page_width, indent=4)
        vouched = vouched_steps(runbook if self._form.mode == "rehearsal" else self._on_site or runbook)
        if vouched:
            lines.append(Text("VOUCHED FOR, NOT CHECKED", title))
            for words in vouched:
                lines += labelled("  - ", words, self.page_width, indent=4)
        return Text("\n").join(lines)

    def _mode_words(self, row: PressRow) -> Text:
        mode = cast(e.Mode, (row.id or "").removeprefix("mode-"))
        return self._choice(mode == self._form.mode, BANDS[mode].word.lower(), MODES[mode])

    def _scenario_words(self, row: PressRow) -> Text:
        path = self._found.scenarios[int((row.id or "").removeprefix("scenario-"))]
        recorded = "as it really went" if path.stem == "recorded-incident" else ""
        return self._choice(path == self._form.scenario, plain(path.stem), recorded)

    def _choice(self, chosen: bool, name: str, words: str) -> Text:
        look = cockpit(self).look
        return Text.assemble(
            ("(x) " if chosen else "( ) ", f"bold {look.style('accent')}" if chosen else look.style("muted")),
            (f"{name:11}", "bold" if chosen else ""),
            (f" {words}", look.style("muted")),
        )

    def _begin_words(self, row: PressRow) -> Text:
        look = cockpit(self).look
        if self._runbook is None:
            return Text("nothing to begin", look.style("muted"))
        wrong = problems(self._form, self._runbook)
        if wrong:
            return Text(
                f"{look.mark('pending')} not yet: {plain(next(iter(wrong.values())))}", look.style("muted")
            )
        what = {
            "rehearsal": f"begin the rehearsal of {self._form.scenario.stem if self._form.scenario else ''}",
            "dry-run": f"begin the dry run on {self._form.site.name if self._form.site else ''}",
            "live": f"begin LIVE on {self._form.site.name if self._form.site else ''}",
        }[self._form.mode]
        keys = "Enter" if row.has_focus else "G, then Enter"
        return Text(f"{keys}  {plain(what)}", f"bold {look.style('accent')}")

    def _checks_text(self) -> Text:
        look = cockpit(self).look
        muted = look.style("muted")
        rows: list[Text] = []
        for each in self._checked:
            mark = Text(f"   {look.mark(each.state)} ", look.mark_style(each.state))
            rows.append(Text.assemble(mark, f"{plain(each.name)}  ", (plain(each.words), muted)))
            if each.mend and each.state != "ok":
                rows.append(Text(f"     fix: {plain(each.mend)}", muted))
        if self._checking:
            rows.append(Text(f"   {look.mark('running')} checking the site", look.mark_style("running")))
        return Text("\n").join(rows)

    # ---------------------------------------------------------------- answers
    def on_input_changed(self, event: Input.Changed) -> None:
        name = event.input.id or ""
        if name == "site":
            self._form = replace(self._form, site_file=event.value, site=None, site_typed="")
            self.query_one("#typed", TextLine).value = ""
            self._read_site()
        elif name == "began":
            self._form = replace(self._form, began=event.value)
        elif name == "typed":
            self._form = replace(self._form, site_typed=event.value)
        else:
            given = {**self._form.inputs, name.removeprefix("input-"): event.value}
            self._form = replace(self._form, inputs=given)
        self._show()

    def _read_site(self) -> None:
        self.run_worker(self._site_read(self._form.site_file), exclusive=True, group="site")

    async def _site_read(self, file: str) -> None:
        site: Site | None = None
        problem = ""
        if file.strip():
            try:
                site = await in_thread(lambda: load_site(Path(file).expanduser()))
            except UserError as error:
                problem = str(error).splitlines()[0]
        runbook = self._runbook
        self._on_site = assessed_on(runbook, site.says) if runbook is not None and site is not None else None
        self._form = replace(self._form, site=site, site_problem=problem)
        self._look_at_the_site()
        self._show()

    def _look_at_the_site(self) -> None:
        """Run the checks, once for each site, and only when the walk is to be on it."""
        runbook, site = self._runbook, self._form.site
        if runbook is None or site is None or self._form.mode == "rehearsal" or uses_problem(runbook, site):
            return
        if site != self._checked_site:
            self._checked, self._checked_site = (), site
            self.run_worker(self._check(runbook, site), exclusive=True, group="checks")

    async def _check(self, runbook: Runbook, site: Site) -> None:
        self._checking = True
        self._show()
        async with aclosing(self._checks(runbook, site)) as checks:
            async for check in checks:
                self._checked = (*self._checked, check)
                self._show()
        self._checking = False
        self._show()

    def on_pressed(self, event: Pressed) -> None:
        event.row.focus()
        self._take(event.row)

    def _take(self, row: PressRow) -> None:
        kind, _, name = (row.id or "").partition("-")
        if kind == "mode":
            self._form = replace(self._form, mode=cast(e.Mode, name), site_typed="")
            self.query_one("#typed", TextLine).value = ""
            self._look_at_the_site()
        elif kind == "scenario":
            self._form = replace(self._form, scenario=self._found.scenarios[int(name)])
        elif kind == "begin":
            self._begin()
        self._show()

    def _begin(self) -> None:
        runbook = self._runbook
        if runbook is None:
            return
        wrong = problems(self._form, runbook)
        if wrong:
            first = next(iter(wrong))
            self.query_one("#scenario-0" if first == "scenario" else f"#{first}").focus()
            return
        self.run_worker(self._begin_as_seen(self._form, runbook), exclusive=True, group="begin")

    async def _begin_as_seen(self, form: Form, runbook: Runbook) -> None:
        """Begin, unless the site's file has become another than the one that was looked at."""
        if form.mode != "rehearsal":
            await self._site_read(form.site_file)
            if self._form.site != form.site:
                self.query_one("#typed", TextLine).value = ""
                return
        cockpit(self).begin(request_of(form, runbook, self._found.path, datetime.now(UTC)))

    # ---------------------------------------------------------------- actions
    def on_input_submitted(self) -> None:
        self.focus_next()

    def action_choose(self) -> None:
        if isinstance(self.focused, PressRow):
            self._take(self.focused)

    def action_top(self) -> None:
        if self._runbook is not None:
            self.query_one("#mode-rehearsal").focus()
        self.page.scroll_home(animate=False)

    def action_bottom(self) -> None:
        self.query_one("#begin").focus()

    def action_move_down(self) -> None:
        self.focus_next()

    def action_move_up(self) -> None:
        self.focus_previous()

    def action_back(self) -> None:
        """Out of a line, and then back to the library."""
        if isinstance(self.focused, TextLine):
            self.query_one("#begin").focus()
        else:
            super().action_back()

    def on_resize(self) -> None:
        self._show()
