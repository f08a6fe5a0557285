"""Programs of this machine: started without a shell of the user's, in a process group of their own, and ended
with all that they have started.

They get the variables that the site names and no others, no open files but their own three streams, no
terminal, and `/` for their folder. In a simulated world nothing is started: there its scenario answers, over
SSH on loopback.
"""

import asyncio
import contextlib
import os
import re
import shlex
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from breakglass.network_guard import simulated
from breakglass.runbook.faults import FaultKind
from breakglass.site.model import Host, LocalPrograms, Site
from breakglass.threads import in_thread
from breakglass.transport.base import (
    Delivery,
    Fault,
    LocalRequest,
    Request,
    Result,
    SecretResolver,
    Sink,
    SshRequest,
    Stream,
    Transport,
)
from breakglass.transport.explained import Fact, Places
from breakglass.transport.local_program import LocalProgramError, look_at

SHELL = "/bin/sh"
NOWHERE = "/nonexistent"
"""PATH of programs where the site passes none on: they find no others by themselves."""

GRACE = 2.0
"""Seconds between asking a group of processes to end and killing it."""
LAST = 1.0
"""Seconds to see what was killed end. A process that the kernel holds does not."""
LOOK = 5.0
"""Seconds to look at the programs once more."""

CREDENTIAL = re.compile(r".*(TOKEN|SECRET|PASSW|PASSPHRASE|PRIVATE|API_?KEY|ACCESS_KEY|CREDENTIAL).*", re.I)
"""Names of variables whose values are kept out of the output."""

_STREAMS: Mapping[int, Stream] = {1: "stdout", 2: "stderr"}

_GUARD = 'read -r group || exit; read -r end || kill -TERM "-$group"'
"""What ends a group of processes when breakglass has gone without a word: its pipe is closed then."""


class Local:
    """The transport for `LocalRequest`. environment: the variables that programs get, by name. keep_out is
    told the values that must not be shown."""

    def __init__(self, environment: Sequence[str], keep_out: Callable[[str], object]) -> None:
        self._names = environment
        self._keep_out = keep_out

    async def send(self, request: Request, sink: Sink) -> Result:
        """Run a program to its end or its deadline. What is late is asked to end, and killed GRACE later."""
        assert isinstance(request, LocalRequest)
        started = time.monotonic()

        def not_run(why: str, kind: FaultKind = "configuration") -> Result:
            return Result(
                Delivery.NOT_SENT, time.monotonic() - started, fault=Fault(kind, f"this machine: {why}")
            )

        if simulated():
            return not_run("a rehearsal starts no program")
        try:
            await in_thread(lambda: _look_again(request), deadline=min(LOOK, request.timeout))
        except LocalProgramError as error:
            return not_run(f"{error}; nothing was run")
        except TimeoutError:
            return not_run("the program cannot be looked at, so it was not run", "timeout")
        environment = self._environment()
        try:
            group = await _Group.started(_argv(request, environment), environment, request.stdin)
        except OSError as error:
            return not_run(f"{request.argv[0]} cannot be started: {error.strerror or error}")
        except ValueError as error:  # text that no argument can hold
            return not_run(f"{request.argv[0]} cannot be started: {error}")
        try:
            left = request.timeout - (time.monotonic() - started)
            async with asyncio.timeout(max(left, 0.0)):
                await group.hand_over(sink)
        except TimeoutError:
            code = group.code
            await group.end()
            return _out_of_time(request, group, code, time.monotonic() - started)
        finally:
            await group.close()
        if group.has_left_something:
            words = f"[something that it started still runs here, in process group {group.number}]\n"
            await in_thread(lambda: sink("stderr", words.encode()))
        return _ended(group, time.monotonic() - started)

    async def close(self) -> None:
        return None

    def _environment(self) -> dict[str, str]:
        passed = {name: value for name in self._names if (value := os.environ.get(name)) is not None}
        for name, value in passed.items():
            if CREDENTIAL.fullmatch(name):
                self._keep_out(value)
        return {"PATH": NOWHERE, **passed}


def explain_program(name: str, local: LocalPrograms, places: Places) -> list[Fact]:
    """Which file a program is, as whom it runs and with which variables. Raises LocalProgramError."""
    found = look_at(name, local.programs[name])
    passed = [each for each in local.environment if each in os.environ]
    path = () if "PATH" in passed else (f"PATH={NOWHERE}",)
    return [
        Fact("path", found.path, places(name)),
        Fact("leads-to", found.leads_to, ""),
        Fact("runs-as", local.where, ""),
        Fact("environment", (*path, *passed), tuple("" for _ in (*path, *passed))),
    ]


class SimulatedLocal:
    """The transport for `LocalRequest` in a simulated world: its scenario answers, as a host does."""

    def __init__(self, answers: Host, site: Site, secrets: SecretResolver) -> None:
        self._answers = answers
        self._site = replace(site, hosts={answers.name: answers})
        self._secrets = secrets
        self._ssh: Transport | None = None

    async def send(self, request: Request, sink: Sink) -> Result:
        local = cast(LocalRequest, request)
        if self._ssh is None:
            from breakglass.transport.ssh import Ssh

            self._ssh = Ssh(self._site, self._secrets, None)
        asked = SshRequest(self._answers.name, local.argv, local.timeout, local.stdin)
        result = await self._ssh.send(asked, sink)
        if result.fault is None:
            return result
        # Where the scenario listens is of no use to anyone.
        words = re.sub(rf"\b{self._answers.name} \([^)]*\)", self._answers.name, result.fault.message)
        return replace(result, fault=replace(result.fault, message=words))

    async def close(self) -> None:
        if self._ssh is not None:
            await self._ssh.close()


class _Group(asyncio.SubprocessProtocol):
    """A program and all that it starts. What it says waits in its pipes until the sink has taken what came
    before. code: how the program itself ended, once it has."""

    def __init__(self) -> None:
        self.code: int | None = None
        self._pieces: asyncio.Queue[tuple[int, bytes] | None] = asyncio.Queue()
        self._open = set(_STREAMS)
        self._exited = asyncio.Event()
        self._silent = asyncio.Event()
        self._transport: asyncio.SubprocessTransport | None = None
        self._guard: asyncio.subprocess.Process | None = None
        self.number = 0

    @classmethod
    async def started(
        cls, argv: Sequence[str], environment: Mapping[str, str], stdin: bytes | None
    ) -> "_Group":
        """Start a program. Raises OSError, and ValueError for words that no program can be given."""
        loop = asyncio.get_running_loop()
        pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        guard = await asyncio.create_subprocess_exec(
            SHELL, "-c", _GUARD, stdin=pipe, stdout=nothing, stderr=nothing, env={}, start_new_session=True
        )
        group = cls()
        group._guard = guard
        try:
            await loop.subprocess_exec(
                lambda: group,
                *argv,
                stdin=nothing if stdin is None else pipe,
                stdout=pipe,
                stderr=pipe,
                env=environment,
                cwd="/",
                start_new_session=True,
            )
            assert guard.stdin is not None
            guard.stdin.write(f"{group.number}\n".encode())
            if stdin is not None:
                group._feed(stdin)
        except BaseException:
            await group.close()
            raise
        return group

    def _feed(self, data: bytes) -> None:
        assert self._transport is not None
        pipe = cast(asyncio.WriteTransport, self._transport.get_pipe_transport(0))
        pipe.write(data)
        pipe.close()  # after all is written

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.SubprocessTransport, transport)
        self.number = self._transport.get_pid()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self._reading(fd).pause_reading()
        self._pieces.put_nowait((fd, data))

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        self._open.discard(fd)
        if not self._open and not self._silent.is_set():
            self._silent.set()
            self._pieces.put_nowait(None)

    def process_exited(self) -> None:
        assert self._transport is not None
        self.code = self._transport.get_returncode()
        self._exited.set()

    def _reading(self, fd: int) -> asyncio.ReadTransport:
        assert self._transport is not None
        return cast(asyncio.ReadTransport, self._transport.get_pipe_transport(fd))

    async def hand_over(self, sink: Sink) -> None:
        """Give the sink all that is said, until the program has ended and nothing more can come."""
        while (piece := await self._pieces.get()) is not None:
            fd, data = piece
            await in_thread(lambda fd=fd, data=data: sink(_STREAMS[fd], data))
            with contextlib.suppress(RuntimeError):  # it was closed meanwhile
                self._reading(fd).resume_reading()
        await self._exited.wait()

    @property
    def is_held(self) -> bool:
        """Whether something that has left the group keeps the output open."""
        return not self._silent.is_set()

    @property
    def has_left_something(self) -> bool:
        """Whether anything that the program started still runs in its group."""
        return bool(self.number) and _runs(self.number)

    async def end(self) -> None:
        """Ask all of it to end, and kill what has not after GRACE."""
        if not self.number:
            return
        try:
            if self._signal(signal.SIGTERM):
                await self._gone(GRACE)
        finally:
            if self._signal(signal.SIGKILL):
                await self._gone(LAST)

    def _signal(self, number: int) -> bool:
        """Send a signal to all of it. Whether there is anything left; what another user runs takes none."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.number, number)
        return self.has_left_something

    async def _gone(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.has_left_something:  # noqa: ASYNC110  (nobody tells when the last one ends)
                    await asyncio.sleep(0.02)
                await self._exited.wait()

    async def close(self) -> None:
        """Let go of it. What has not come to its end is ended first."""
        try:
            if not (self._exited.is_set() and self._silent.is_set()):
                await self.end()
        finally:
            if self._transport is not None:
                self._transport.close()
            if self._guard is not None:
                await _dismiss(self._guard, started=bool(self.number))


async def _dismiss(guard: asyncio.subprocess.Process, *, started: bool) -> None:
    """Let the guard go: there is nothing left to end."""
    with contextlib.suppress(ConnectionError, TimeoutError):
        async with asyncio.timeout(LAST):
            await guard.communicate(b"\n" if started else b"")


def _runs(group: int) -> bool:
    """Whether a process of the group still runs. One that has ended and that nobody has taken note of, as in
    containers without an init, does not."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    found = False
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, number = file.read_text(errors="replace").rpartition(")")[2].split()[:3]
            if int(number) == group and state not in "ZX":
                return True
            found = True
    return not found  # without /proc, what was told above is all that is known


def _look_again(request: LocalRequest) -> None:
    """Hold each program to what it was when it was shown. Raises LocalProgramError."""
    for each in request.programs:
        if look_at(each.name, each.path) != each:
            raise LocalProgramError(
                f"{each.name}: {each.path} is not the file any more that it was; look at it and confirm again"
            )


def _argv(request: LocalRequest, environment: Mapping[str, str]) -> list[str]:
    """The words as the kernel gets them: each program by its path.

    Shell text is read with an alias for each, since an alias stands where a program is named and nowhere
    else, and changes nothing of how it is called. What is no alias there, the shell does not find.
    """
    if not request.shell:
        paths = {each.name: each.path for each in request.programs}
        return [paths[word] if at in request.places else word for at, word in enumerate(request.argv)]
    _, option, script, *values = request.argv
    # The shell itself finds nothing; its programs get the PATH that the site passes on.
    before = f"PATH={shlex.quote(environment['PATH'])} " if environment["PATH"] != NOWHERE else ""
    aliases = [f"{each.name}={shlex.quote(before + each.path)}" for each in request.programs]
    line = f"PATH={NOWHERE}; alias {' '.join(aliases)}\n" if aliases else f"PATH={NOWHERE}\n"
    return [SHELL, option, line + script, *values]


def _ended(group: _Group, seconds: float) -> Result:
    code = group.code
    assert code is not None
    if code < 0:
        words = (
            f"this machine: the command was ended by signal {signal.Signals(-code).name.removeprefix('SIG')}"
        )
        return Result(Delivery.ANSWERED, seconds, fault=Fault("exit", words))
    fault = Fault("exit", f"this machine: the command ended with exit status {code}") if code else None
    return Result(Delivery.ANSWERED, seconds, exit=code, fault=fault)


def _out_of_time(request: LocalRequest, group: _Group, code: int | None, seconds: float) -> Result:
    """What is known of a command that was stopped. code: how its program had ended by then, if it had."""
    words = "this machine: "
    if code:
        return _ended(group, seconds)
    if code == 0:
        words += "the command ended with 0, but something that it started kept its output open for "
        words += f"{request.timeout:g} s"
        words += " and is no longer listened to" if group.is_held else " and was ended"
        return Result(Delivery.ANSWERED, seconds, exit=0, fault=Fault("timeout", words))
    words += f"no end of the command after {request.timeout:g} s; "
    if group.has_left_something:
        words += f"it was killed, and still runs in process group {group.number}: as another user, or held by"
        words += " the kernel"
    else:
        words += "it was ended, with all that it had started; what it had done by then is not known"
    return Result(Delivery.UNKNOWN, seconds, fault=Fault("timeout", words))
