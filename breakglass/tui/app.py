"""The cockpit: wires screens, session and terminal together. It decides nothing about a walk.

Screens are imported when they are shown. A session runs in a worker on the application's own event loop; its
screen is drawn from the session's state and speaks to it in commands.
"""

import asyncio
import os
import signal
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from rich.text import Text
from textual._styles_cache import StylesCache
from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.color import Color
from textual.filter import Monochrome
from textual.reactive import Reactive
from textual.screen import Screen
from textual.theme import Theme
from textual.worker import WorkerFailed

from breakglass.errors import UserError
from breakglass.exit_codes import ExitCode
from breakglass.runbook.library import Found
from breakglass.threads import in_thread
from breakglass.transport.sanitize import visible, visible_line
from breakglass.tui.base import BaseApp, CockpitScreen
from breakglass.tui.keys import Place
from breakglass.tui.terminal import Terminal
from breakglass.tui.theme import DARK, PALETTES, THEMES, Appearance, speaks_unicode, variables

if TYPE_CHECKING:
    from breakglass.engine.session import Request, Session
    from breakglass.engine.walk import Engine
    from breakglass.transport.ssh import HostKeyQuestion
    from breakglass.tui.screens.walk.screen import WalkScreen

CodeOf: TypeAlias = "Callable[[Session], int]"


class Cockpit(BaseApp, inherit_bindings=False):
    """The application. Its result is the exit code."""

    CSS_PATH = Path(__file__).with_name("cockpit.tcss")
    theme: Reactive[str] = Reactive(DARK.name)
    TITLE = "breakglass"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "interrupt", show=False, priority=True, system=True),
        Binding("ctrl+z", "suspend_process", show=False, priority=True, system=True),
    ]

    def __init__(self, code_of: CodeOf, request: "Request | None" = None) -> None:
        """Open a session at once when `request` is given, and the library otherwise."""
        self.unicode = speaks_unicode()
        super().__init__(driver_class=None if os.environ.get("TEXTUAL_DRIVER") else Terminal)
        self._code_of = code_of
        self._request = request
        self.code = 0
        self.failure: UserError | None = None
        """Why the session asked for could not be opened; for the terminal, after the screen is gone."""
        self._walked: Engine | None = None
        self._leaving = False
        if self.no_color:
            from breakglass.tui.no_colour import NoColour

            kept = [each for each in self._filters if not isinstance(each, Monochrome)]
            self._filters = [*kept, NoColour(lambda: Color.parse(self.look.palette.background))]
        wanted = os.environ.get("BREAKGLASS_THEME", "")
        if wanted in PALETTES:
            self.theme = wanted

    @property
    def look(self) -> Appearance:
        return Appearance(PALETTES.get(self.theme, DARK), self.unicode)

    @property
    def available_themes(self) -> dict[str, Theme]:
        return THEMES

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return variables(DARK)

    def watch_theme(self) -> None:
        """Tell the screens. A screen that watches the theme itself is never let go by Textual."""
        for each in self.screen_stack:
            if isinstance(each, CockpitScreen) and each.is_mounted:
                each.recolour()

    def on_mount(self) -> None:
        if not self.unicode:
            self.add_class("-ascii")
        loop = asyncio.get_running_loop()
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(each, self._leave_for, each)
        if self._request is not None:
            self.begin(self._request)

    # ---------------------------------------------------------------- screens
    def first_screen(self) -> Screen[None]:
        """What is below all others: the library, or nothing where a session is opened at once."""
        if self._request is not None:
            return Screen()
        from breakglass.tui.screens.library.screen import LibraryScreen

        return LibraryScreen()

    def get_default_screen(self) -> Screen[None]:
        screen = self.first_screen()
        for path in screen.css_path:
            # Of this one screen Textual does not read the styles; pushed, it would be parsed and drawn twice.
            self.stylesheet.read(path)
        return screen

    def show_preflight(self, found: Found) -> None:
        from breakglass.tui.screens.preflight.screen import PreflightScreen

        self.push_screen(PreflightScreen(found))

    def show_help(self, place: Place) -> None:
        from breakglass.tui.screens.help.screen import HelpScreen

        self.push_screen(HelpScreen(place))

    def show_palette(self, screen: CockpitScreen) -> None:
        from breakglass.tui.dialogs.searched_list import palette

        def chosen(name: str | None) -> None:
            if name is not None:
                screen.call_later(screen.run_action, name)

        self.push_screen(palette(screen.available()), chosen)

    def pop_screen(self) -> AwaitComplete:
        """Leave a screen, and let go of what it painted. Textual 8 keeps that of the last 1,024 widgets, as
        keys of this cache of colours: megabytes for each help that was open."""
        forget = getattr(StylesCache.get_inner_outer, "cache_clear", None)
        if forget is not None:
            forget()
        return super().pop_screen()

    def go_back(self) -> None:
        if any(isinstance(each, CockpitScreen) for each in self.screen_stack[:-1]):
            self.pop_screen()
        else:
            self.exit(self.code)

    # ---------------------------------------------------------------- a session
    def begin(self, request: "Request") -> None:
        if self._walked is None:
            self.run_worker(self._walk(request), name="walk", group="walk")

    async def _walk(self, request: "Request") -> None:
        from breakglass.engine.gateway import Prompts
        from breakglass.engine.opening import open_session
        from breakglass.tui.screens.opening import OpeningScreen

        await self.push_screen(OpeningScreen(request))
        from breakglass.tui.preload import preload
        from breakglass.tui.screens.report.screen import ReportScreen
        from breakglass.tui.screens.walk.screen import WalkScreen

        try:
            async with open_session(
                request, Prompts(self._ask_secret, self._ask_host_key, self._tell)
            ) as session:
                world = session.rehearsal
                walk = WalkScreen(session.engine, speed=world.speed if world is not None else 1.0)
                await self._show_walk(walk)
                if not self.is_headless:
                    uses = session.engine.runbook.uses
                    ready = in_thread(lambda: preload(uses))
                    self.run_worker(ready, name="ready", group="ready", exit_on_error=False)
                self._walked = session.engine
                await session.engine.run()
                self.code = self._code_of(session)
                await walk.dismiss_dialogs()
                engine = session.engine
                await self._replace(
                    ReportScreen(engine.state, engine.writer.journal.last_hash, engine.runbook)
                )
        except UserError as error:
            await self._end_opening()
            self._cannot_open(error)
        finally:
            self._walked = None
        if self._leaving:
            self.exit(self.code)

    async def _show_walk(self, walk: "WalkScreen") -> None:
        """Show the walk in place of what led to it."""
        from breakglass.tui.screens.preflight.screen import PreflightScreen

        await self._end_opening()
        if isinstance(self.screen, PreflightScreen):
            await self._replace(walk)
        else:
            await self.push_screen(walk)

    async def _end_opening(self) -> None:
        from breakglass.tui.screens.opening import OpeningScreen

        if isinstance(self.screen, OpeningScreen):
            await self.pop_screen()

    async def _replace(self, screen: Screen[None]) -> None:
        await self.switch_screen(screen)  # pyright: ignore[reportUnknownMemberType]

    def leave_during_a_change(self) -> None:
        self.exit(ExitCode.UNKNOWN)

    def _leave_for(self, received: signal.Signals) -> None:
        """End on a signal: a read is given up, the outcome of a change is waited for and recorded."""
        self._leaving = True
        if received is signal.SIGHUP and isinstance(self._driver, Terminal):
            self._driver.hang_up()
        if self._walked is None:
            self.exit(ExitCode.INTERRUPTED)
            return
        from breakglass.engine.commands import Stop
        from breakglass.errors import CommandRefusedError

        operator = self._walked.state.operator
        with suppress(CommandRefusedError):
            self._walked.command(Stop(f"the program was told to end ({received.name})", operator))

    def _cannot_open(self, error: UserError) -> None:
        if self._request is not None:
            self.failure = error
            self.exit(ExitCode.USAGE)
            return
        from breakglass.tui.dialogs.questions import Message

        self.push_screen(Message("The session cannot be opened", str(error)))

    # ---------------------------------------------------------------- what only a person can give
    async def _ask_secret(self, question: str) -> str:
        from breakglass.tui.dialogs.questions import AskLine

        self.draw_attention("a secret is needed")
        answer = await self.push_screen_wait(AskLine(question, "kept in memory only", secret=True))
        return answer or ""

    async def _ask_host_key(self, question: "HostKeyQuestion") -> bool:
        from breakglass.tui.dialogs.questions import HostKey

        self.draw_attention("an unknown host key")
        return await self.push_screen_wait(HostKey(question)) or False

    def _tell(self, words: str) -> None:
        self.draw_attention(words)
        self.notify(visible_line(words), title="Something to do", timeout=20.0, markup=False)

    # ---------------------------------------------------------------- the terminal
    def draw_attention(self, words: str) -> None:
        self.bell()
        if not self.app_focus and self._driver is not None:
            self._driver.write(f"\x1b]9;breakglass: {visible_line(words)}\x07")

    def _fatal_error(self) -> None:
        """End after an error that nobody expected: where it was, without the values that were at hand.

        Those may be secrets, so the library's traceback, which shows them, is not used.
        """
        error = self._exception
        if isinstance(error, WorkerFailed):
            error = error.error
        places = "".join(traceback.format_tb(error.__traceback__)) if error is not None else ""
        words = (
            f"breakglass met an error that it did not expect: {type(error).__name__}. The record is complete."
        )
        self._exit_renderables.append(Text(f"{visible(places)}{words}"))
        self._close_messages_no_wait()

    def action_interrupt(self) -> None:
        from breakglass.tui.screens.walk.screen import WalkScreen

        for screen in reversed(self.screen_stack):
            if isinstance(screen, WalkScreen):
                screen.action_interrupt()
                return
        self.exit(ExitCode.INTERRUPTED)
