"""How a simulated machine or container answers a command line, by the scenario's rules."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from breakglass.regex import compile_pattern
from breakglass.rehearsal.commands import CommandLine
from breakglass.rehearsal.effects import Effects
from breakglass.rehearsal.spec.effects import CommandReply, CommandRule
from breakglass.rehearsal.story import Event, Story
from breakglass.rehearsal.world import World, WorldFaultError, overlaid
from breakglass.runbook.expression import EvaluationError
from breakglass.runbook.template import Template, render, render_tree
from breakglass.simulator.command_result import CommandResult
from breakglass.values import Json, Scope

TIMED_OUT = 124
"""The status of `timeout` when it had to end its command."""


@dataclass(frozen=True, slots=True)
class ReceivedCommand:
    """A command that came in. origin begins its event's text: `ssh pve`, `exec vault/vault-0`, `local`."""

    line: CommandLine
    origin: str
    data: Mapping[str, Json]


class CommandReplies:
    """Finds the rule for a command, carries out what it does to the world, and gives its answer."""

    def __init__(self, world: World, story: Story, effects: Effects) -> None:
        self._world = world
        self._story = story
        self._effects = effects

    def rule_for(
        self, asked: ReceivedCommand, rules: Sequence[CommandRule]
    ) -> tuple[CommandRule, Scope] | None:
        """The first rule that fits, with what its expressions see. None where no rule fits."""
        for rule in rules:
            kept = rule.match.match(asked.line.texts)
            if kept is None:
                continue
            request: dict[str, Json] = {
                **asked.data,
                "command": asked.line.text,
                "words": list(asked.line.words),
                "sudo": asked.line.sudo,
                "match": dict(kept),
            }
            scope = self._world.scope(request=request)
            try:
                if self._world.holds(rule.when, scope):
                    return rule, scope
            except EvaluationError as error:
                self._story.fault(f"{rule.position}: when: {error}")
        return None

    def answer(
        self, asked: ReceivedCommand, rule: CommandRule, scope: Scope, stdin: str = ""
    ) -> CommandResult:
        """Carry the rule out: its effect, then the rules that wait for it, then its words are made."""
        request = scope["request"]
        assert isinstance(request, dict)
        scope = overlaid(scope, request={**request, "stdin": stdin})
        try:
            said = self._effects.apply(rule.effect, scope, str(rule.position))
            if rule.effect.say is not None:
                self._story.tell_rule(asked.line.text, render(rule.effect.say, scope))
            self.tell(asked, touched=not rule.effect.is_empty)
            return self._made(rule.reply, overlaid(scope, **said), asked.line.limit)
        except (EvaluationError, WorldFaultError) as error:
            self._story.fault(f"{rule.position}: {error}")
            return CommandResult(stderr=f"fault in the scenario: {error}\n".encode(), exit=255)

    def tell(self, asked: ReceivedCommand, *, touched: bool) -> None:
        """Let rules and traps know of a command; touched: whether it changed the world by its own rule."""
        texts = tuple(f"{asked.origin} {text}" for text in asked.line.texts)
        data: dict[str, Json] = {**asked.data, "command": asked.line.text, "words": list(asked.line.words)}
        if touched:
            self._story.touch(texts[-1])
        self._story.emit(Event(tuple(reversed(texts)), data))

    def _made(self, reply: CommandReply, scope: Scope, limit: float | None) -> CommandResult:
        code = render_tree(reply.exit, scope)
        if not isinstance(code, int):
            raise WorldFaultError(f"exit: {code!r} is not a status")
        stdout = _text(reply.stdout, scope)
        stderr = _text(reply.stderr, scope)
        never_ends = reply.then == "hang"
        if limit is not None and (never_ends or (reply.then == "exit" and reply.delay > limit)):
            return CommandResult(
                stdout if never_ends else b"", stderr if never_ends else b"", TIMED_OUT, limit
            )
        then = "hang" if reply.then == "stuck" else reply.then
        return CommandResult(stdout, stderr, code, reply.delay, then)


def _text(template: Template | None, scope: Scope) -> bytes:
    if template is None:
        return b""
    text = render(template, scope)
    return (text if not text or text.endswith("\n") else text + "\n").encode()


def not_found(line: CommandLine) -> CommandResult:
    """What a shell says to a command that it does not have."""
    name = line.words[0] if line.words else line.text.split(maxsplit=1)[0] if line.text else ""
    return CommandResult(stderr=f"bash: line 1: {name}: command not found\n".encode(), exit=127)


def reads_files(line: CommandLine, file: Callable[[str], str | None]) -> CommandResult | None:
    """`cat FILE…` and `grep [-EFivcqn] PATTERN FILE` over a machine's files. None for anything else."""
    match line.words:
        case ["cat", *names] if names and not any(name.startswith("-") for name in names):
            return _cat(names, file)
        case ["grep", *rest]:
            flags = "".join(word[1:] for word in rest if word.startswith("-") and word != "-")
            plain = [word for word in rest if not word.startswith("-")]
            if len(plain) == 2 and set(flags) <= set("EFivcqn"):
                return _grep(flags, plain[0], plain[1], file)
        case _:
            pass
    return None


def _cat(names: Sequence[str], file: Callable[[str], str | None]) -> CommandResult:
    stdout: list[str] = []
    stderr: list[str] = []
    for name in names:
        content = file(name)
        if content is None:
            stderr.append(f"cat: {name}: No such file or directory\n")
        else:
            stdout.append(content)
    return CommandResult("".join(stdout).encode(), "".join(stderr).encode(), 1 if stderr else 0)


def _grep(flags: str, pattern: str, name: str, file: Callable[[str], str | None]) -> CommandResult:
    content = file(name)
    if content is None:
        return CommandResult(stderr=f"grep: {name}: No such file or directory\n".encode(), exit=2)
    expression = re.escape(pattern) if "F" in flags else pattern
    try:
        wanted = compile_pattern(expression, "(?i)" if "i" in flags else "")
    except ValueError:
        return CommandResult(stderr=b"grep: Invalid regular expression\n", exit=2)
    found = [
        (number, line)
        for number, line in enumerate(content.splitlines(), 1)
        if wanted.occurs(line) != ("v" in flags)
    ]
    code = 0 if found else 1
    if "q" in flags:
        return CommandResult(exit=code)
    if "c" in flags:
        return CommandResult(f"{len(found)}\n".encode(), exit=code)
    lines = [f"{number}:{line}\n" if "n" in flags else f"{line}\n" for number, line in found]
    return CommandResult("".join(lines).encode(), exit=code)
