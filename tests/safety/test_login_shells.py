"""Whatever login shell the far side's user has, a command is the words that it was, and a value is one of
them: through a real sshd, to real users."""

import asyncio
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from breakglass.engine.prepare import prepare
from breakglass.runbook.actions import SshAction
from breakglass.runbook.expression import EvaluationError
from breakglass.runbook.template import parse_template
from breakglass.transport.base import SshRequest
from breakglass.transport.ssh import Ssh
from breakglass.yamlio.position import Position
from tests.support.login_shells import SHELLS, LoginShells, login_shells
from tests.transport.ssh.support import NoSecrets, Ran
from tests.transport.ssh.support import run as run_there

MARK = "MARK"
"""Stands in the values for the file that must never come to be."""

HARM = [
    "$(touch MARK)",
    "`touch MARK`",
    "; touch MARK #",
    "x'; touch MARK; '",
    "\\'; touch MARK; \\'",
    '"; touch MARK; "',
    "\\",
    "x\ntouch MARK\n",
    "!touch MARK",
    "!!",
    "a\\!b",
    "'",
    '"',
    "\\'",
    "",
    " ",
    "\n\n",
    "ends with\n",
    "--all",
    "-rf",
    "~",
    "=ls",
    "^a^b",
    "{a,b}*?[x]",
    "%self %1",
    "$HOME ${HOME} $status",
    "(touch MARK)",
    "|touch MARK",
    "&& touch MARK",
    "\x1b[2J\x07\t\r",
    "é\u202e\U0001f600\ufffd",
    "\\0101\\c\\n",
    "%b %s %n",
]
HOSTILE = st.text(
    st.one_of(
        st.characters(exclude_characters="\0", exclude_categories=["Cs"]),
        st.sampled_from(" \t\n\r'\"\\$`;&|<>(){}[]*?!#~=-%^@:,\x1b"),
    ),
    max_size=20,
)
QUOTABLE = st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="'\\!"), max_size=20)
"""What may stand between single quotes, so that the words are sent without `sh`."""
WORDS = st.lists(QUOTABLE, min_size=1, max_size=12) | st.lists(
    st.one_of(HOSTILE, st.sampled_from(HARM)), min_size=1, max_size=12
)
PLACE = Position(Path("runbook.yaml"), 1, 1)
SHORT, LONG = 25, 1500
"""Examples for each login shell."""


@dataclass
class Door:
    """The users, and the loop that the connections live in."""

    shells: LoginShells
    runner: asyncio.Runner
    ssh: Ssh

    def run(self, shell: str, argv: Sequence[str], stdin: bytes | None = None) -> Ran:
        return self.runner.run(run_there(self.ssh, argv, host=shell, stdin=stdin, timeout=60.0))

    def shown(self, shell: str, argv: Sequence[str]) -> list[str]:
        """The arguments that arrived at the last program of a command, which prints them."""
        ran = self.run(shell, argv)
        assert (ran.result.exit, ran.stderr) == (0, b""), ran
        return ran.stdout.decode().split("\0")[:-1]

    def harm(self, values: Sequence[str]) -> list[str]:
        """The values, with the file that they try to make."""
        return [value.replace(MARK, str(self.shells.open / MARK)) for value in values]

    def nothing_ran(self) -> None:
        mark = self.shells.open / MARK
        assert not mark.exists(), "a value ran as a command"


@pytest.fixture(scope="module")
def door() -> Generator[Door]:
    with login_shells() as shells, asyncio.Runner() as runner:

        async def made() -> Ssh:
            return Ssh(shells.site, NoSecrets(), None)

        ssh = runner.run(made())
        try:
            yield Door(shells, runner, ssh)
        finally:
            runner.run(ssh.close())


@pytest.mark.parametrize("shell", SHELLS)
def test_the_user_has_this_login_shell(door: Door, shell: str) -> None:
    """No shell could be told from another by what follows; its command line can."""
    line = door.run(shell, ("sh", "-c", 'tr "\\0" "\\n" < /proc/$PPID/cmdline; sleep 0')).stdout.decode()
    assert "sshd" in line or f"{shell}\n-c\n" in line.replace("-" + shell, shell)


@pytest.mark.parametrize("shell", SHELLS)
def test_words_arrive_as_they_were_meant(door: Door, shell: str, soak: bool) -> None:
    @settings(max_examples=LONG if soak else SHORT, suppress_health_check=[HealthCheck.too_slow])
    @given(WORDS)
    def property_of_words(words: list[str]) -> None:
        meant = door.harm(words)
        assert door.shown(shell, (str(door.shells.show), *meant)) == meant
        door.nothing_ran()

    property_of_words()
    meant = door.harm(HARM)
    assert door.shown(shell, (str(door.shells.show), *meant)) == meant
    door.nothing_ran()


SCRIPTS = {
    "SHOW ${{ v }}": "{}",
    "SHOW x${{ v }}y": "x{}y",
    'SHOW "a ${{ v }} b"': "a {} b",
    'SHOW "$(printf %s. "${{ v }}")"': "{}.",
    'x="$(printf %s. "${{ v }}")"; SHOW "$x"': "{}.",
    'if test -n x${{ v }}; then SHOW "x${{ v }}" | cat; fi': "x{}",
}


@pytest.mark.parametrize("shell", SHELLS)
def test_values_in_shell_text_arrive_as_they_are(door: Door, shell: str, soak: bool) -> None:
    @settings(max_examples=LONG if soak else SHORT, suppress_health_check=[HealthCheck.too_slow])
    @given(st.sampled_from(list(SCRIPTS)), st.one_of(HOSTILE, st.sampled_from(HARM)))
    def property_of_values(script: str, value: str) -> None:
        (meant,) = door.harm([value])
        line = parse_template(script.replace("SHOW", str(door.shells.show)), PLACE)
        action = SshAction(parse_template(shell, PLACE), (line,), shell=True, position=PLACE)
        try:
            request = prepare(action, door.shells.site, {"v": meant}, timeout=60.0).request
        except EvaluationError:
            assert not meant or meant.startswith("-")
            return
        assert isinstance(request, SshRequest)
        assert door.shown(shell, request.argv) == [SCRIPTS[script].format(meant)]
        door.nothing_ran()

    property_of_values()


@pytest.mark.parametrize("shell", SHELLS)
def test_standard_input_stays_free(door: Door, shell: str) -> None:
    ran = door.run(shell, ("sh", "-c", 'cat; printf %s "$1"', "sh", "it's\n"), b"given\n")
    assert ran.stdout == b"given\nit's\n"


@pytest.mark.parametrize("shell", SHELLS)
def test_a_program_runs_and_not_the_login_shells_own_word_of_that_name(door: Door, shell: str) -> None:
    assert door.run(shell, ("nice", "-n", "3", "printf", "ran")).stdout == b"ran"
    assert door.run(shell, ("test", "!", "x", "=", "")).result.exit == 0


@pytest.mark.parametrize("shell", SHELLS)
def test_the_exit_status_is_that_of_the_program(door: Door, shell: str) -> None:
    assert door.run(shell, ("sh", "-c", "exit 42")).result.exit == 42
    assert door.run(shell, ("sh", "-c", "exit 42", "it's")).result.exit == 42
    assert door.run(shell, ("no-such-program", "it's")).result.exit == 127


@pytest.mark.parametrize("shell", SHELLS)
def test_a_long_value_arrives_whole(door: Door, shell: str) -> None:
    value = "x\n" * 15_000
    assert door.shown(shell, (str(door.shells.show), value)) == [value]


def test_a_command_that_is_longer_than_a_login_shell_takes_is_not_sent(door: Door) -> None:
    ran = door.run("bash", ("echo", "x" * 131_072))
    assert ran.message.startswith("host bash: the command is 131,")
    assert "`stdin`" in ran.message
    request = SshRequest("bash", ("true",), 20.0)
    assert door.runner.run(door.ssh.send(request, lambda stream, data: None)).exit == 0
