"""The one who writes the journal: puts events on record, tells observers, and asks people.

An event is in the journal before anyone hears of it, and no known secret is in it by then: `JournalWriter` is
the one place where an event becomes a record. A disk may take its time, so a thread writes, one record at a
time; what an event changes is part of the state, and told, once its record is there. A command is checked at
once against the open question; one that does not apply is refused with the reason, and changes nothing.
"""

import asyncio
import getpass
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import Literal, TypeAlias, TypeVar, cast, get_origin

from breakglass.engine import commands as c
from breakglass.engine.confirmation import person
from breakglass.engine.signature import armoured, check_signature
from breakglass.errors import CommandRefusedError
from breakglass.journal import events as e
from breakglass.journal.state import Observer, Recorded, State, apply, fold
from breakglass.journal.store import Journal, JournalError
from breakglass.regex import compile_pattern
from breakglass.site.redaction import Redactor
from breakglass.threads import in_thread
from breakglass.values import Json

E = TypeVar("E", bound=e.Event)
T = TypeVar("T")

Busy: TypeAlias = Literal["", "reading", "changing"]

SLOW_DISK = 2.0
"""Seconds after which it is said that the journal's disk does not answer."""

LAST_WORDS = 10.0
"""Seconds that the disk has for the last records of a session that ends."""

WAITS_FOR: dict[e.Question, str] = {
    "confirm": "a change to be confirmed or declined",
    "accept": "what has changed to be accepted or declined",
    "decide": "a decision how to go on",
    "answer": "an answer",
    "choose": "a choice",
    "acknowledge": "what was done and seen by hand",
    "continue": "the word to go on",
}


class JournalWriter:
    """One session's record and the conversation with its operator."""

    def __init__(self, journal: Journal) -> None:
        """Blocks while it folds what the journal holds already."""
        self.journal = journal
        self.redactor = Redactor()
        """What knows the session's secrets; the engine puts its own here."""
        self.secret_values: dict[str, Json] = {}
        """Captured values that hold a secret, as they are. They are nowhere but in memory: the journal and
        the state have them without it."""
        self.state = fold(journal.records)
        self.busy: Busy = ""
        """Whether a read or a change is under way; a read may be cancelled, a change never."""
        self.stop_wanted: c.Stop | None = None
        self.pause_wanted = False
        self.hint_for: Callable[[str], str] = lambda step: ""
        self._observers: list[Observer] = []
        self._answer: asyncio.Future[c.Command] | None = None
        self._reading: asyncio.Task[object] | None = None
        self._turn = asyncio.Lock()
        self._writing: set[asyncio.Task[None]] = set()
        """Events on their way to the record."""
        self._closed = False
        self._word_under_way = False
        """Whether a person's word is on its way to the record; no other answer is taken beside it."""
        self._asked_disk: float | None = None
        """Since when the disk has been asked for what it has not answered, by `time.monotonic`."""

    def subscribe(self, observer: Observer) -> Callable[[], None]:
        """Be told of every event after it is on record. Returns how to stop being told."""
        self._observers.append(observer)

        def unsubscribe() -> None:
            if observer in self._observers:
                self._observers.remove(observer)

        return unsubscribe

    async def record(self, event: e.Event) -> None:
        """Put an event on record, fold it into the state, and tell the observers.

        Returns when that is done. Cancelled, it is still done, in its turn. After `close`, raises
        JournalError.
        """
        if self._closed:
            raise JournalError(f"{self.journal.path}: is closed; nothing more is recorded")
        await asyncio.shield(self.record_soon(event))

    def record_soon(self, event: e.Event) -> "asyncio.Future[None]":
        """Put an event on record after those that came before it, for whoever cannot wait for it. What a
        simulated world still does after `close` is in no record."""
        if self._closed:
            return nothing_to_record()
        task = asyncio.get_running_loop().create_task(self._write(event))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)
        return task

    async def _write(self, event: e.Event) -> None:
        async with self._turn:
            recorded = await self._in_writing_thread(
                lambda: self.journal.append(without_secrets(event, self.redactor))
            )
            self.state = apply(self.state, recorded)
            if isinstance(recorded.event, e.Confirmed):
                self._agreed(recorded.event)
            self._tell(recorded, self.state)

    async def _in_writing_thread(self, function: Callable[[], T]) -> T:
        self._asked_disk = time.monotonic()
        try:
            return await in_thread(function)
        finally:
            self._asked_disk = None

    def _tell(self, recorded: Recorded, state: State) -> None:
        """An observer that cannot show it, because its terminal or pipe is gone, is told no more. The walk is
        not broken off by that: a change under way comes to its end on record, and then the walk stops."""
        for observer in tuple(self._observers):
            try:
                observer(recorded, state)
            except OSError as error:
                self._observers.remove(observer)
                why = f"what happens cannot be shown any more: {error.strerror or error}"
                self.stop_wanted = self.stop_wanted or c.Stop(why, self.state.operator)

    async def on_disk(self) -> None:
        """Return when everything recorded so far is on disk. Raises JournalUnwritableError where it cannot be
        put there."""
        if self.journal.fault:  # else each record has come back from there already
            async with self._turn:
                await self._in_writing_thread(self.journal.require)

    @property
    def fault(self) -> str:
        """Why what happens is not on disk now; empty while it is."""
        asked = self._asked_disk
        waited = time.monotonic() - asked if asked is not None else 0.0
        return f"its disk has not answered for {waited:.0f} s" if waited >= SLOW_DISK else self.journal.fault

    async def close(self) -> None:
        """Take nothing more, let what is being recorded come to its end, and let go of the journal. A disk
        that takes longer than LAST_WORDS is left to itself."""
        self._closed = True
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS):
                if self._writing:
                    await asyncio.wait(self._writing)
                await in_thread(self.journal.close)

    async def capture(self, step: str, attempt: int, values: Mapping[str, tuple[Json, Json]]) -> None:
        """Put captured values on record: each as it is, and what may be shown of it."""
        await self.record(e.Captured(step, attempt, {name: shown for name, (_, shown) in values.items()}))
        for name, (value, _) in values.items():
            self.secret_values.pop(name, None)
            if value != self.state.values.get(name):
                self.secret_values[name] = value

    async def ask(self, asked: e.Asked) -> c.Command:
        """Put a question and wait, for as long as it takes, for the command that answers it."""
        self._answer = asyncio.get_running_loop().create_future()
        try:
            if self.stop_wanted is not None:
                self._resolve(self.stop_wanted)
            await self.record(asked)
            if self.stop_wanted is not None:  # somebody said so while the question was being recorded
                self._resolve(self.stop_wanted)
            return await self._answer
        finally:
            self._answer = None

    def reading(self, task: "asyncio.Task[object] | None") -> None:
        """Name the task of the read now running, so that it can be cancelled."""
        self._reading = task
        self.busy = "reading" if task is not None else ""

    def command(self, command: c.Command) -> "asyncio.Future[None]":
        """Take a command. Raises CommandRefusedError when it does not apply now.

        Returns what is done once the command's own record is there; most commands have none.
        """
        if self._closed:
            raise CommandRefusedError("the session is closed")
        if self.state.ended is not None and not isinstance(command, c.Note | c.HandOver):
            first = "rehearse again" if self.state.scenario else "resume it first"
            raise CommandRefusedError(f"the session has ended; {first}")
        match command:
            case c.Note():
                return self.record_soon(e.NoteAdded(self.state.current, command.text, command.by))
            case c.HandOver():
                return self.record_soon(e.HandedOver(command.by, command.to))
            case c.Hint():
                return self._hint()
            case c.Confirm() if self.state.waiting is None or self.state.waiting.question != "accept":
                return self._confirm(command)
            case c.Pause():
                if self._answer is not None:
                    raise CommandRefusedError("the walk already waits for you")
                self.pause_wanted = True
            case c.CancelRead():
                self._cancel_read()
            case c.Stop() if not self._asking:
                self.stop_wanted = command
                if self._reading is not None:
                    self._reading.cancel()
            case _:
                self._resolve(self._checked(command))
        return nothing_to_record()

    @property
    def _asking(self) -> bool:
        """Whether somebody has been asked, and nobody has answered yet."""
        told = self.state.waiting is not None and not self._word_under_way
        return told and self._answer is not None and not self._answer.done()

    def _hint(self) -> "asyncio.Future[None]":
        text = self.hint_for(self.state.current)
        if self.state.mode != "rehearsal" or not text:
            raise CommandRefusedError("there is no hint here")
        return self.record_soon(e.HintShown(self.state.current, text))

    def _cancel_read(self) -> None:
        if self._reading is None:
            changing = self.busy == "changing"
            raise CommandRefusedError(
                "a change is under way and is not cancelled; waiting for its result"
                if changing
                else "no read is running"
            )
        self._reading.cancel()

    def _confirm(self, command: c.Confirm) -> "asyncio.Future[None]":
        waiting = self._confirmable()
        approvals = self.state.approvals
        if approvals and waiting.sign:
            raise CommandRefusedError("the second person's word is a signature: sign the text, and paste it")
        wanted = waiting.typed or "Y"
        if command.typed != wanted:
            raise CommandRefusedError(f"no match for {wanted!r}. Nothing sent")
        if not person(command.by):
            raise CommandRefusedError("the name is empty. Type it. Nothing sent")
        if person(command.by) in map(person, approvals):
            raise CommandRefusedError(f"{command.by} has already agreed; a second person must")
        proof: e.Proof = "none" if approvals else ""
        confirmed = e.Confirmed(waiting.step, waiting.attempt, command.by, command.typed, proof)
        return self._give(confirmed)

    async def sign(self, command: c.Sign, signers: Path | None) -> None:
        """Take a second person's signature. Raises CommandRefusedError when it does not hold, or when none is
        asked for."""
        waiting, approvals = self._confirmable(), self.state.approvals
        if signers is None or not waiting.sign or not approvals:
            raise CommandRefusedError("no signature is asked for now")
        taken = {*approvals, self.state.operator, login_name()}
        signed = await check_signature(signers, waiting.sign, command.signature, taken)
        if self.state.waiting is not waiting or self.state.approvals != approvals:
            raise CommandRefusedError("the question was answered meanwhile. Nothing sent")
        view = self.state.steps.get(waiting.step)
        earlier = view.last.confirmed if view is not None and view.last is not None else ()
        if signed.fingerprint in {each.fingerprint for each in earlier}:
            raise CommandRefusedError(f"{signed.fingerprint} has signed already; another person must")
        confirmed = e.Confirmed(
            step=waiting.step,
            attempt=waiting.attempt,
            by=signed.principal,
            typed="",
            proof="signature",
            fingerprint=signed.fingerprint,
            signature=armoured(command.signature),
        )
        await asyncio.shield(self._give(confirmed))

    def _confirmable(self) -> e.Asked:
        waiting = self.state.waiting
        if waiting is None or waiting.question != "confirm" or self._answer is None or self._answer.done():
            raise CommandRefusedError("nothing waits to be confirmed")
        self._refuse_beside_a_word()
        return waiting

    def _refuse_beside_a_word(self) -> None:
        if self._word_under_way:
            raise CommandRefusedError("a word is being put on record; what comes now is not taken")

    def _give(self, word: e.Confirmed) -> "asyncio.Future[None]":
        """Put a person's word on record. It counts once it is there."""
        self._refuse_beside_a_word()
        self._word_under_way = True
        return self.record_soon(word)

    def _agreed(self, word: e.Confirmed) -> None:
        self._word_under_way = False
        if self.state.waiting is None:  # it was the last that was asked for
            self._resolve(c.Confirm(word.typed, word.by))

    def _checked(self, command: c.Command) -> c.Command:
        waiting = self.state.waiting
        if waiting is None or self._answer is None:
            raise CommandRefusedError("the walk is under way; pause it first")
        self._refuse_beside_a_word()
        question = waiting.question
        match command:
            case c.Confirm() if question == "accept":
                if command.typed != waiting.typed:
                    raise CommandRefusedError(f"no match for {waiting.typed!r}. Nothing sent")
                return command
            case c.Continue() if question == "continue":
                return command
            case c.Skip() | c.Jump() if question == "accept":
                raise CommandRefusedError("first accept what has changed, or stop")
            case c.Decline() if question in ("confirm", "accept"):
                return command
            case c.Retry() if question in ("decide", "continue"):
                return command
            case c.Undo() if "undo" in waiting.options:
                return command
            case c.Skip() if not command.reason.strip():
                raise CommandRefusedError("a skipped step wants a reason")
            case c.Skip() | c.Jump() | c.Stop():
                return command
            case c.Answer() if question in ("answer", "choose", "acknowledge"):
                return c.Answer(checked_answer(waiting, command.value), command.by, command.note)
            case _:
                name = type(command).__name__.lower()
                raise CommandRefusedError(
                    f"{name} does not apply now: the walk waits for {WAITS_FOR[question]}"
                )

    def _resolve(self, command: c.Command) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(command)


def without_secrets(event: E, redactor: Redactor) -> E:
    """The event with every known secret taken out of every field. Names by which things are found again, and
    words of a closed set, are left as they are: they never come from a value."""
    changed: dict[str, Json] = {}
    for field in fields(event):
        value = cast(Json, getattr(event, field.name))
        if field.type is e.Name or get_origin(field.type) is Literal:
            continue
        if isinstance(value, dict):
            safe: Json = {name: redactor.redact_json(each) for name, each in value.items()}
        elif isinstance(value, str | list) or field.type is Json:
            safe = redactor.redact_json(value)
        else:
            continue
        if safe != value:
            changed[field.name] = safe
    return replace(event, **changed) if changed else event


def nothing_to_record() -> "asyncio.Future[None]":
    """What a command returns that leaves no record of its own."""
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    done.set_result(None)
    return done


def login_name() -> str:
    """Whose account this is; empty for a user that the system has no name for."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def checked_answer(asked: e.Asked, value: Json) -> Json:
    """The operator's value in the type that was asked for. Raises CommandRefusedError when it does not
    fit."""
    if asked.question == "acknowledge":
        return True
    if asked.question == "choose":
        if value not in asked.options:
            raise CommandRefusedError(f"choose one of: {', '.join(asked.options)}")
        return value
    try:
        return typed_value(str(value), asked.value_type, asked.pattern)
    except CommandRefusedError:
        if not asked.secret:
            raise
        wanted = asked.pattern or f"type {asked.value_type}"
        raise CommandRefusedError(f"what was given does not match {wanted}") from None


def typed_value(text: str, type_: str, pattern: str) -> Json:
    """Text as a value of an input's type. Raises CommandRefusedError naming what was expected."""
    if pattern and not compile_pattern(pattern).fits(text):
        raise CommandRefusedError(f"{text!r} does not match {pattern}")
    try:
        match type_:
            case "integer":
                return int(text)
            case "number":
                return float(text)
            case "boolean":
                return {"true": True, "yes": True, "false": False, "no": False}[text.lower()]
            case _:
                return text
    except (ValueError, KeyError):
        raise CommandRefusedError(f"{text!r} is not a value of type {type_}") from None
