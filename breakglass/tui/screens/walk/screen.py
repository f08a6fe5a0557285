"""The screen of who walks: the view, and every decision that can be made in it.

A decision is a command to the session, which checks it again; a refusal is said and changes nothing. While
another step is in view, deciding keys only come back to the walk.
"""

from collections.abc import Callable, Mapping
from typing import ClassVar

from textual.binding import BindingType
from textual.screen import ModalScreen

from breakglass.engine import commands as c
from breakglass.errors import CommandRefusedError
from breakglass.journal import events as e
from breakglass.journal.state import Recorded, State
from breakglass.tui.base import cockpit
from breakglass.tui.dialogs.confirm import ConfirmDialog
from breakglass.tui.dialogs.questions import AskLine, Choose, Dialog
from breakglass.tui.dialogs.searched_list import Entry, SearchedList
from breakglass.tui.keys import Action, actions_of, bindings
from breakglass.tui.screens.walk.view import WalkView
from breakglass.tui.walk_text import doing, risk_words, titled

STALE = 60.0
"""Seconds after which what was read again before a change is read once more."""

READ_AGAIN = "Preconditions were read more than 60 s ago; reading them again. Nothing sent."


class WalkScreen(WalkView, inherit_bindings=False):
    """Walks one session."""

    place = "walk"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("walk")]
    reread = ""
    """A change whose needs are being read again because they had become old."""

    # ---------------------------------------------------------------- hearing of events
    def on_mount(self) -> None:
        if self.walk.state.waiting is not None:
            self._attend(self.walk.state.waiting)

    def hear(self, recorded: Recorded, state: State) -> None:
        event = recorded.event
        match event:
            case e.StepStarted() | e.Confirmed() | e.Answered() | e.Decided():
                self._message = ""
            case e.Asked():
                if not self._reads_again(event):
                    self._attend(event)
            case e.VerifyPolled() if event.holds:
                cockpit(self).draw_attention("verified")
            case e.StepFinished() if event.state == "unknown":
                cockpit(self).draw_attention("the outcome is unknown")
            case _:
                pass
        self.call_later(self._close_answered)
        super().hear(recorded, state)

    def _attend(self, asked: e.Asked) -> None:
        cockpit(self).draw_attention(f"waiting for you: {asked.text or asked.question}")

    def _reads_again(self, asked: e.Asked) -> bool:
        """Go on with reading old needs again: from the question after going back to the new one."""
        if self.reread != asked.step:
            return False
        last = self.walk.state.steps[asked.step].last
        if asked.question == "decide" and last is not None and last.state != "unknown":
            self.call_later(self._send, c.Retry(self._operator))
            return True
        self.reread = ""
        if asked.question == "confirm":
            self.call_later(self._open_confirmation)
        return False

    def _close_answered(self) -> None:
        """Close a confirmation whose question is no longer open."""
        top = cockpit(self).screen
        if isinstance(top, ConfirmDialog) and top.is_attached and self.walk.state.waiting is not top.asked:
            top.dismiss(None)

    async def dismiss_dialogs(self) -> None:
        """Close what lies over this screen."""
        app = cockpit(self)
        while self in app.screen_stack and app.screen is not self:
            await app.pop_screen()

    # ---------------------------------------------------------------- what can be done
    def header(self) -> list[str]:
        mode, _, *rest = super().header()
        return [mode, *rest]

    def available(self) -> tuple[Action, ...]:
        state = self.walk.state
        now = doing(state)
        question = state.waiting.question if state.waiting is not None else ""
        hidden: set[str] = set()
        if now not in ("reading", "verifying"):
            hidden.add("cancel_read")
        if question == "accept":
            hidden |= {"skip", "jump"}
        if question not in ("decide", "continue"):
            hidden.add("rerun")
        if state.waiting is None or "undo" not in state.waiting.options:
            hidden.add("undo")
        hidden |= {"pause"} if now in ("asking", "ended") else {"forward", "skip", "jump"}
        if now == "ended":
            hidden |= {"stop_and_call", "skip", "jump"}
        if state.mode != "rehearsal" or not self.walk.runbook.step(self.shown).hint:
            hidden.add("hint")
        return tuple(action for action in actions_of("walk") if action.name not in hidden)

    @property
    def _operator(self) -> str:
        return self.walk.state.operator

    def _send(self, command: c.Command) -> bool:
        """Give a command. A refusal is said, and changes nothing."""
        try:
            self.walk.command(command)
        except CommandRefusedError as error:
            self.say(str(error))
            return False
        self._message = ""
        self.wake()
        return True

    def _at_the_walk(self) -> bool:
        """Whether the walk's own step is in view. If another was, come back and decide nothing."""
        if not self.to_the_walk():
            return True
        self.say("Back at the current step")
        return False

    # ---------------------------------------------------------------- answering
    def action_forward(self) -> None:
        if not self._at_the_walk():
            return
        asked = self.walk.state.waiting
        if asked is None:
            self.say(self.move_words().words)
            return
        match asked.question:
            case "confirm":
                self._open_confirmation()
            case "accept":
                cockpit(self).push_screen(ConfirmDialog(self.walk, asked))
            case "continue":
                self._send(c.Continue(self._operator))
            case "decide":
                self._ask_way(asked)
            case "choose":
                self._choose(asked.text, "", asked.options, self._answer)
            case "answer":
                self._ask_line(asked.text, asked.pattern, self._answer, secret=asked.secret)
            case "acknowledge":
                words = f"{asked.text}\n\nWrite what you did and what you saw, with the values themselves."
                self._ask_line("By hand", words, lambda text: c.Answer(True, self._operator, text))

    def _answer(self, text: str) -> c.Command:
        return c.Answer(text, self._operator)

    def _open_confirmation(self) -> None:
        """Open the dialog of the change that is asked about; first read again what has become old."""
        state = self.walk.state
        asked = state.waiting
        if asked is None or asked.question != "confirm" or isinstance(cockpit(self).screen, ModalScreen):
            return
        view = state.steps.get(asked.step)
        needs = view.last.needs if view is not None and view.last is not None else ()
        if needs and (self._now() - max(time for time, _ in needs)).total_seconds() > STALE:
            self.reread = asked.step
            if self._send(c.Decline(self._operator)):
                self.say(READ_AGAIN)
            return
        cockpit(self).push_screen(ConfirmDialog(self.walk, asked))

    def _ask_way(self, asked: e.Asked) -> None:
        acts = {
            "retry": self.action_rerun,
            "jump": self.action_jump,
            "skip": self.action_skip,
            "stop": self.action_stop_and_call,
            "undo": self.action_undo,
            "suggested": lambda: self._take_suggestion(asked),
        }

        def chosen(name: str | None) -> None:
            if name in acts:
                acts[name]()

        cockpit(self).push_screen(Choose("What next?", asked.text, asked.options), chosen)

    def _take_suggestion(self, asked: e.Asked) -> None:
        self._send(c.Jump(asked.suggests, c.suggested_words(asked), self._operator))

    def action_undo(self) -> None:
        waiting = self.walk.state.waiting
        if waiting is None or "undo" not in waiting.options:
            self.say("Nothing to put back here")
        elif self._at_the_walk():
            self._send(c.Undo(self._operator))

    def _choose(
        self, title: str, words: str, ways: Mapping[str, str], made: Callable[[str], c.Command]
    ) -> None:
        def chosen(name: str | None) -> None:
            if name is not None:
                self._send(made(name))

        cockpit(self).push_screen(Choose(title, words, ways), chosen)

    def _ask_line(
        self, title: str, words: str, made: Callable[[str], c.Command], *, secret: bool = False
    ) -> None:
        def written(text: str | None) -> None:
            if text is not None:
                self._send(made(text))

        cockpit(self).push_screen(AskLine(title, words, secret=secret), written)

    def action_rerun(self) -> None:
        if self._at_the_walk():
            self._attempt = None
            self._send(c.Retry(self._operator))

    def _is_asked(self) -> bool:
        """Whether the walk waits for somebody; where it does not, say how to make it."""
        if self.walk.state.waiting is None:
            self.say("Running. p pauses before the next step, S stops")
        return self.walk.state.waiting is not None

    def action_skip(self) -> None:
        if self._is_asked() and self._at_the_walk():
            self._ask_line(
                f"Skip step {titled(self.walk.runbook, self._step_to_skip())}",
                "Why? The reason is recorded, and the step becomes a deferred item.",
                lambda reason: c.Skip(reason, self._operator),
            )

    def _step_to_skip(self) -> str:
        """At the end of a phase it is the step to come that is left out."""
        state = self.walk.state
        at_a_stop = state.waiting is not None and state.waiting.question == "continue"
        return state.following if at_a_stop and state.following else state.current

    def action_jump(self) -> None:
        if not self._is_asked():
            return
        steps = [
            Entry(step.id, str(number), f"{step.title}{risk_words(step)}", f"{step.id} {step.phase}")
            for number, step in enumerate(self.walk.runbook.steps, start=1)
        ]

        def chosen(step: str | None) -> None:
            if step is not None:
                self._ask_line(
                    f"Jump to step {titled(self.walk.runbook, step)}",
                    "Why? The steps in between will be skipped. The reason is recorded.",
                    lambda reason: c.Jump(step, reason, self._operator),
                )

        cockpit(self).push_screen(SearchedList("Jump to which step?", steps, at=self.shown), chosen)

    def action_note(self) -> None:
        if self.lower.searching:
            self.action_next_match()
            return
        self._ask_line("Note", "It is recorded with the time.", lambda text: c.Note(text, self._operator))

    def action_stop_and_call(self) -> None:
        self._ask_line(
            "Stop and call",
            "The walk stops here. Nothing is undone. Whom do you call, and why?",
            lambda reason: c.Stop(reason, self._operator),
        )

    def action_pause(self) -> None:
        if self._send(c.Pause(self._operator)):
            self.say("Pausing before the next step")

    def action_cancel_read(self) -> None:
        self._send(c.CancelRead(self._operator))

    def action_hint(self) -> None:
        self._send(c.Hint(self._operator))

    def action_hand_over(self) -> None:
        self._ask_line(
            "Hand over", "Who takes over at this terminal?", lambda to: c.HandOver(to, self._operator)
        )

    # ---------------------------------------------------------------- leaving
    def action_back(self) -> None:
        if self._put_away():
            self.draw()
        elif self.walk.state.ended is not None:
            cockpit(self).go_back()
        elif doing(self.walk.state) in ("changing", "verifying"):
            self._offer_to_detach()
        else:
            self._offer_to_stop()

    def _offer_to_stop(self) -> None:
        rehearsal = bool(self.walk.state.scenario)
        stopping = "end the rehearsal" if rehearsal else "stop and call; the session can be resumed"
        ways = {"stay": "keep going", "stop": stopping}

        def chosen(name: str | None) -> None:
            if name == "stop":
                self.action_stop_and_call()

        words = (
            "The rehearsal ends here." if rehearsal else "The session is open. Stopping here loses nothing."
        )
        cockpit(self).push_screen(Choose("Quit the session?", words, ways), chosen)

    def _offer_to_detach(self) -> None:
        ways = {
            "stay": "wait for the result; it is recorded within its limit",
            "leave": "quit now; the outcome becomes unknown, and resuming asks you to look first",
        }

        def chosen(name: str | None) -> None:
            if name == "leave" and doing(self.walk.state) in ("changing", "verifying"):
                cockpit(self).leave_during_a_change()

        words = "It was sent and cannot be called back. Quitting does not cancel it."
        cockpit(self).push_screen(Choose("A change is under way", words, ways), chosen)

    def action_interrupt(self) -> None:
        """^C: go back from a dialog, cancel a read; during a change, explain and offer to leave."""
        top = cockpit(self).screen
        if isinstance(top, ConfirmDialog):
            top.go_back()
        elif isinstance(top, Dialog):
            top.action_go_back()
        elif doing(self.walk.state) == "reading":
            self.action_cancel_read()
        elif doing(self.walk.state) in ("changing", "verifying"):
            self._offer_to_detach()
        else:
            self._offer_to_stop()
