"""Before a walk: is it the right runbook, and one deliberate choice after the other."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual import events
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Input

from breakglass.engine.doctor import Check
from breakglass.engine.session import Request
from breakglass.runbook.library import Found
from breakglass.runbook.load import load_runbook
from breakglass.runbook.model import Runbook
from breakglass.site.model import Site
from breakglass.tui.app import Cockpit
from breakglass.tui.screens.preflight.checks import Checks, site_checks
from breakglass.tui.screens.preflight.form import (
    Form,
    began_at,
    began_problem,
    problems,
    request_of,
    site_files,
)
from breakglass.tui.screens.preflight.screen import PreflightScreen
from tests.tui.past_support import OUTPOST, ROOT, RUNBOOKS, SIZES, seen, state, until, when_seen
from tests.tui.support import flat, words

__all__ = ["state"]

VAULT = Found("vault-raft-recovery", RUNBOOKS / "vault-raft-recovery" / "runbook.yaml")
NOW = datetime(2026, 1, 15, 14, 0, tzinfo=UTC)


async def no_checks(runbook: Runbook, site: Site) -> AsyncGenerator[Check, None]:
    """A site of which nothing is looked at."""
    for nothing in ():
        yield nothing


class Preflight(Cockpit):
    """The cockpit with one preflight on it, which notes what it was asked to begin."""

    def __init__(self, found: Found = OUTPOST, checks: Checks = no_checks) -> None:
        super().__init__(lambda session: 0)
        self.unicode = True
        self.found = found
        self.checks = checks
        self.begun: list[Request] = []

    def first_screen(self) -> PreflightScreen:
        return PreflightScreen(self.found, self.checks)

    def begin(self, request: Request) -> None:
        self.begun.append(request)


def site_file(folder: Path, name: str = "main", *, clusters: str = "{main: {context: a}}") -> Path:
    """A site in the home folder, so that its name is quickly typed."""
    path = folder / "s"
    path.write_text(f"site: {name}\nclusters: {clusters}\n")
    return path


async def choose(pilot: Pilot[int], mode: str) -> None:
    """Choose a mode by keyboard, from the top."""
    await pilot.press("g", *"j" * ["rehearsal", "dry-run", "live"].index(mode), "enter")


async def fill(app: App[int], pilot: Pilot[int], field: str, text: str) -> None:
    """Go to a line with the arrows, empty it, and type."""
    for _ in range(40):
        if app.focused is not None and app.focused.id == field:
            break
        await pilot.press("down")
    await pilot.press("ctrl+u", *text)


async def test_it_shows_what_tells_the_right_runbook_from_a_wrong_one(state: Path) -> None:
    app = Preflight()
    async with app.run_test(size=(100, 40)) as pilot:
        await seen(app, pilot, "IS IT THIS ONE?")
        text = flat(app)
        assert "no space left on device" in text
        assert "400 Bad Request [/bold] on every protected site" in text
        assert "Can you reach the Kubernetes API without the SSO?" in text
        assert f"from tests/tui/runbooks: {OUTPOST.path}" in text


async def test_it_says_what_runs_unasked_by_whose_word(state: Path, tmp_path: Path) -> None:
    path = tmp_path / "runbook.yaml"
    path.write_text(
        "runbook: own\ntitle: t\nsummary: s\nseverity: sev2\nuses: {hosts: [h]}\nsteps:\n"
        "  - {id: a, title: Peek, ssh: {host: h, run: [peek]}, risk: read, because: It only looks.}\n"
    )
    app = Preflight(Found("own", path))
    async with app.run_test(size=(100, 40)) as pilot:
        await seen(app, pilot, "VOUCHED FOR, NOT CHECKED")
        assert "1 Peek: READ (by the author's word: It only looks.)" in flat(app)
        file = tmp_path / "s"
        file.write_text("site: main\nhosts: {h: 127.0.0.1}\nreads: [peek]\n")
        await choose(pilot, "dry-run")
        await fill(app, pilot, "site", str(file))
        await seen(app, pilot, "1 Peek: READ (by this site's word: peek)")


async def test_a_rehearsal_of_the_recorded_incident_is_two_keys_away(state: Path) -> None:
    app = Preflight()
    async with app.run_test(size=(80, 24)) as pilot:
        await seen(app, pilot, "G, then Enter begin the rehearsal of recorded-incident")
        await pilot.press("G", "enter")
        await until(pilot, lambda: bool(app.begun))
        scenario = OUTPOST.path.parent / "scenarios" / "recorded-incident.yaml"
        assert app.begun == [Request(mode="rehearsal", runbook=OUTPOST.path, scenario=scenario)]


async def test_another_scenario_is_chosen_with_enter(state: Path) -> None:
    app = Preflight()
    async with app.run_test(size=(80, 24)) as pilot:
        await seen(app, pilot, "begin the rehearsal")
        await pilot.press("g", *"jjj", "enter", "G", "enter")
        await until(pilot, lambda: bool(app.begun))
        assert app.begun[0].scenario == OUTPOST.path.parent / "scenarios" / "healthy-outpost.yaml"


async def test_an_input_is_checked_as_it_is_typed_and_holds_the_beginning_back(state: Path) -> None:
    app = Preflight()
    async with app.run_test(size=(100, 40)) as pilot:
        await seen(app, pilot, "begin the rehearsal")
        await fill(app, pilot, "input-size_mi", "many")
        await seen(app, pilot, "✗ 'many' is not a value of type integer")
        assert "not yet: size_mi: 'many' is not a value of type integer" in flat(app)
        await pilot.press("escape", "enter")
        assert app.begun == []
        assert app.focused is not None and app.focused.id == "input-size_mi"
        await pilot.press("ctrl+u", *"4096", "escape", "enter")
        await until(pilot, lambda: bool(app.begun))
        assert app.begun[0].inputs == {"size_mi": "4096"}


async def test_an_input_without_a_default_is_asked_for(state: Path) -> None:
    app = Preflight(VAULT)
    async with app.run_test(size=(100, 40)) as pilot:
        await seen(app, pilot, "not yet: choose a scenario")
        assert "node ✗ needs a value" in flat(app)


@asynccontextmanager
async def asked_for_live() -> AsyncGenerator[tuple[Preflight, Pilot[int]]]:
    """The preflight of a live run on the site `main`, which asks for the site's name."""
    app = Preflight()
    async with app.run_test(size=(100, 44)) as pilot:
        await seen(app, pilot, "begin the rehearsal")
        await choose(pilot, "live")
        await fill(app, pilot, "site", "~/s")
        await seen(app, pilot, "type the site's name, main")
        yield app, pilot


async def test_live_begins_only_after_the_name_of_the_site_is_typed(state: Path) -> None:
    path = site_file(state)
    async with asked_for_live() as (app, pilot):
        await seen(app, pilot, "not yet: type the site's name, main")
        await pilot.press("escape", "enter")
        assert app.begun == []
        assert app.focused is not None and app.focused.id == "typed"
        await pilot.press(*"mai", "escape", "enter")
        assert app.begun == []
        await pilot.press(*"n", "escape")
        await seen(app, pilot, "Enter begin LIVE on main")
        await pilot.press("enter")
        await until(pilot, lambda: bool(app.begun))
        assert app.begun == [Request(mode="live", runbook=OUTPOST.path, site=path)]


async def test_the_name_of_the_site_cannot_be_pasted(state: Path) -> None:
    site_file(state)
    async with asked_for_live() as (app, pilot):
        await pilot.press("escape", "enter")
        app.post_message(events.Paste("main"))
        await pilot.pause()
        assert app.screen.query_one("#typed", Input).value == ""


async def test_the_typed_name_counts_for_one_site_and_one_choice_of_live(state: Path) -> None:
    site_file(state)
    async with asked_for_live() as (app, pilot):
        await fill(app, pilot, "typed", "main")
        await seen(app, pilot, "begin LIVE on main")
        await pilot.press("escape")
        await choose(pilot, "dry-run")
        await seen(app, pilot, "begin the dry run on main")
        await choose(pilot, "live")
        await seen(app, pilot, "type the site's name, main")


async def test_a_site_file_that_was_exchanged_meanwhile_is_not_begun_on(state: Path) -> None:
    site_file(state)
    async with asked_for_live() as (app, pilot):
        await fill(app, pilot, "typed", "main")
        await seen(app, pilot, "begin LIVE on main")
        site_file(state, "other")
        await pilot.press("escape", "enter")
        await seen(app, pilot, "not yet: type the site's name, other")
        assert app.begun == []


async def test_the_mode_is_on_the_screen_from_the_moment_it_is_chosen(state: Path) -> None:
    app = Preflight()
    async with app.run_test(size=(80, 24)) as pilot:
        await seen(app, pilot, "begin the rehearsal")
        for mode, word in (("live", "LIVE"), ("dry-run", "DRY-RUN"), ("rehearsal", "REHEARSAL")):
            await choose(pilot, mode)
            assert words(app).splitlines()[0].split()[0] == word


async def test_a_site_that_lacks_something_says_what(state: Path) -> None:
    site_file(state, clusters="{other: {context: a}}")
    app = Preflight()
    async with app.run_test(size=(100, 44)) as pilot:
        await seen(app, pilot, "begin the rehearsal")
        await choose(pilot, "dry-run")
        await fill(app, pilot, "site", "~/s")
        await seen(app, pilot, "lacks what runbook outpost-shm-purge uses: clusters: main")


async def test_a_site_file_that_cannot_be_read_says_why(state: Path) -> None:
    app = Preflight()
    async with app.run_test(size=(100, 44)) as pilot:
        await seen(app, pilot, "begin the rehearsal")
        await choose(pilot, "dry-run")
        await seen(app, pilot, "not yet: name a site file")
        await fill(app, pilot, "site", "~/none.yaml")
        await seen(app, pilot, "✗")
        assert "none.yaml" in flat(app)


async def test_the_checks_of_the_site_arrive_one_by_one(state: Path) -> None:
    import asyncio

    gate = asyncio.Event()

    async def checks(runbook: Runbook, site: Site) -> AsyncGenerator[Check, None]:
        yield Check("cluster main", "ok", "answers in 12 ms [/] \x1b[31m")
        await gate.wait()
        yield Check("host pve", "failed", "refused", "look whether the service runs")

    site_file(state)
    app = Preflight(checks=checks)
    async with app.run_test(size=(100, 44)) as pilot:
        await seen(app, pilot, "begin the rehearsal")
        await choose(pilot, "dry-run")
        await fill(app, pilot, "site", "~/s")
        await seen(app, pilot, r"✓ cluster main answers in 12 ms [/] \x1b[31m")
        assert "checking the site" in flat(app)
        gate.set()
        await seen(app, pilot, "✗ host pve refused fix: look whether the service runs")
        assert "checking the site" not in flat(app)


async def test_a_site_is_looked_at_once_and_only_when_the_walk_is_to_be_on_it(state: Path) -> None:
    looked: list[str] = []

    async def checks(runbook: Runbook, site: Site) -> AsyncGenerator[Check, None]:
        looked.append(site.name)
        yield Check("cluster main", "ok", "answers")

    configuration = state / "configuration" / "breakglass"
    configuration.mkdir(parents=True)
    site_file(state).rename(configuration / "site.yaml")
    app = Preflight(checks=checks)
    async with app.run_test(size=(100, 44)) as pilot:
        await seen(app, pilot, "begin the rehearsal")
        await choose(pilot, "rehearsal")
        assert looked == []
        await choose(pilot, "dry-run")
        await seen(app, pilot, "cluster main answers")
        await choose(pilot, "live")
        await choose(pilot, "dry-run")
        await seen(app, pilot, "cluster main answers")
        assert looked == ["main"]


async def test_the_checks_are_those_of_the_doctor(state: Path) -> None:
    path = site_file(state, clusters="{main: {server: 'http://127.0.0.1:9', kubeconfig: none}}")
    app = Preflight(checks=site_checks)
    async with app.run_test(size=(100, 44)) as pilot:
        await seen(app, pilot, "begin the rehearsal")
        await choose(pilot, "dry-run")
        await fill(app, pilot, "site", f"~/{path.name}")
        await seen(app, pilot, "✗ cluster main")


async def test_escape_leaves_the_line_and_then_the_preflight(state: Path) -> None:
    app = Preflight()
    async with app.run_test(size=(80, 24)) as pilot:
        await seen(app, pilot, "begin the rehearsal")
        await fill(app, pilot, "input-namespace", "x")
        await pilot.press("escape")
        assert app.return_value is None
        await pilot.press("escape")
        await pilot.pause()
    assert app.return_value == 0


async def test_a_broken_runbook_says_why_in_place_of_a_form(state: Path) -> None:
    app = Preflight(Found("half-written", RUNBOOKS / "half-written" / "runbook.yaml"))
    async with app.run_test(size=(100, 30)) as pilot:
        await seen(app, pilot, "half-written/runbook.yaml:")
        await pilot.press("G", "enter", "g", "enter")
        assert app.begun == []


# -------------------------------------------------------------------- the form as data
@pytest.fixture(scope="module")
def outpost() -> Runbook:
    return load_runbook(ROOT / OUTPOST.path)


def test_a_time_of_day_is_the_last_time_that_it_was_that_late() -> None:
    assert began_at("13:58", NOW) == "2026-01-15T13:58:00+00:00"
    assert began_at("14:01", NOW) == "2026-01-14T14:01:00+00:00"
    assert began_at("2026-01-15T15:11+02:00", NOW) == "2026-01-15T13:11:00+00:00"
    assert began_at("  ", NOW) == ""


@given(st.text(max_size=20))
def test_any_text_is_a_time_or_says_how_to_write_one(text: str) -> None:
    if not began_problem(text):
        told = began_at(text, NOW)
        assert not told or datetime.fromisoformat(told).tzinfo is not None


@given(st.text(max_size=30))
def test_live_never_begins_on_any_other_text_than_the_name(text: str) -> None:
    runbook = load_runbook(ROOT / OUTPOST.path)
    site = Site("main", clusters={"main": None})  # type: ignore[dict-item]
    form = Form(mode="live", site_file="site.yaml", site=site, site_typed=text)
    assert ("typed" in problems(form, runbook)) == (text != "main")


def test_inputs_left_at_their_default_are_not_given(outpost: Runbook) -> None:
    form = Form(scenario=Path("s.yaml"), inputs={"namespace": "authentik", "size_mi": "4096"})
    assert request_of(form, outpost, outpost.path, NOW).inputs == {"size_mi": "4096"}


def test_a_rehearsal_takes_no_site_and_a_site_no_scenario(outpost: Runbook) -> None:
    form = Form(scenario=Path("s.yaml"), site_file="site.yaml", site=Site("main"), began="13:58")
    rehearsal = request_of(form, outpost, outpost.path, NOW)
    assert (rehearsal.site, rehearsal.scenario, rehearsal.incident_began) == (None, Path("s.yaml"), "")
    live = request_of(replace(form, mode="live"), outpost, outpost.path, NOW)
    assert (live.site, live.scenario) == (Path("site.yaml"), None)
    assert live.incident_began == "2026-01-15T13:58:00+00:00"


def test_site_files_are_found_here_and_in_the_configuration_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configuration = tmp_path / "configuration" / "breakglass"
    (configuration / "sites").mkdir(parents=True)
    (configuration / "sites" / "b.yaml").touch()
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "site.yaml").touch()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "configuration"))
    monkeypatch.chdir(tmp_path / "here")
    assert site_files() == [Path("site.yaml"), configuration / "sites" / "b.yaml"]


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_preflight_looks_as_it_was_accepted(
    state: Path, size: tuple[int, int], snap_compare: object
) -> None:
    assert callable(snap_compare)
    assert snap_compare(Preflight(), terminal_size=size, run_before=when_seen("begin the rehearsal"))


@pytest.mark.parametrize("theme", ["light", "high-contrast"])
def test_the_preflight_of_a_live_walk_in_each_theme(state: Path, theme: str, snap_compare: object) -> None:
    app = Preflight()
    app.theme = theme
    live = when_seen("begin the rehearsal", "g", "j", "j", "enter", then="name a site file")
    assert callable(snap_compare)
    assert snap_compare(app, terminal_size=(80, 24), run_before=live)
