"""Simulated machines: what they do with a command line. `ssh_server` brings the commands."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from breakglass.rehearsal.command_replies import CommandReplies, ReceivedCommand, not_found, reads_files
from breakglass.rehearsal.commands import read_line
from breakglass.rehearsal.spec.machines import HostSpec
from breakglass.rehearsal.story import Story
from breakglass.rehearsal.world import World
from breakglass.runbook.expression import EvaluationError
from breakglass.runbook.template import render
from breakglass.simulator.command_result import CommandResult
from breakglass.simulator.ssh_server import SshHost
from breakglass.values import Json

THIS_MACHINE = "this machine"
"""The name of the machine that answers for programs where the session runs."""


class SimulatedHost:
    """One machine, by its scenario's rules. To be used in the event loop's thread only."""

    def __init__(
        self, name: str, specification: HostSpec, world: World, story: Story, answering: CommandReplies
    ) -> None:
        self.name = name
        self._origin = "local" if name == THIS_MACHINE else f"ssh {name}"
        self.specification = specification
        self._world = world
        self._story = story
        self._answering = answering

    @property
    def machine(self) -> SshHost:
        """It as its SSH server sees it."""
        return SshHost(
            self.name,
            self.specification.user,
            self.run,
            self.reachable,
            refuse=self.specification.refuse,
            hang=self.specification.hang,
            accepts_key=self.specification.login == "accepted",
        )

    def reachable(self) -> bool:
        """Whether connections and commands are answered now."""
        try:
            return self._world.holds(self.specification.reachable, self._world.scope())
        except EvaluationError as error:
            self._story.fault(f"host {self.name}: reachable: {error}")
            return False

    async def run(self, command: str, stdin: Callable[[], Awaitable[str]]) -> CommandResult:
        """Run a command line, taking its simulated time. `stdin` gives all input, for commands that read it.

        An answer that hangs is given at once; it is the server that keeps the client waiting.
        """
        if not self.reachable():
            return CommandResult(then="hang")
        line = read_line(command)
        asked = ReceivedCommand(line, self._origin, {"host": self.name})
        if line.sudo and self.specification.sudo == "password":
            self._answering.tell(asked, touched=False)
            return CommandResult(stderr=b"sudo: a password is required\n", exit=1)
        found = self._answering.rule_for(asked, self.specification.commands)
        if found is None:
            self._answering.tell(asked, touched=False)
            return reads_files(line, self.file) or not_found(line)
        rule, scope = found
        answer = self._answering.answer(asked, rule, scope, await stdin() if rule.stdin else "")
        if answer.delay:
            await self._world.clock.sleep(answer.delay)
            await asyncio.sleep(0)
        if answer.then == "exit" and not self.reachable():
            return replace(answer, then="hang", stdout=b"", stderr=b"")
        return answer

    def file(self, path: str) -> str | None:
        """The content of a file now; None where there is none."""
        template = self.specification.files.get(path)
        if template is None:
            return None
        try:
            return render(template, self._world.scope())
        except EvaluationError as error:
            self._story.fault(f"host {self.name}: {path}: {error}")
            return ""

    def snapshot(self) -> Json:
        """Its files as they stand."""
        return {path: self.file(path) for path in sorted(self.specification.files)}
