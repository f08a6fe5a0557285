"""A value is one argument, whatever is in it: through our quoting, a real sshd and a real shell."""

import asyncio
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from breakglass.engine.prepare import prepare
from breakglass.runbook.actions import SshAction
from breakglass.runbook.template import parse_template, split_words
from breakglass.site.model import Host, Site
from breakglass.transport.base import SshRequest
from breakglass.transport.ssh import Ssh
from breakglass.values import Json
from breakglass.yamlio.position import Position
from tests.support.openssh import openssh
from tests.transport.ssh.support import NoSecrets, run

HERE = Position(Path("test.yaml"), 1, 1)
SHOW = 'sh -c \'for each; do printf "%s\\0" "$each"; done\' sh '
"""Prints each of its arguments with a NUL after it."""

WORDS = st.lists(
    st.text(
        st.one_of(
            st.characters(exclude_characters="\0", exclude_categories=["Cs"]),
            st.sampled_from(" \t\n\r'\"\\$`;&|<>(){}[]*?!#~=-%^\x1b"),
        ),
        min_size=1,
        max_size=30,
    ).filter(lambda word: not word.startswith("-")),
    min_size=1,
    max_size=25,
)
NASTY = [
    "$(reboot)",
    "`reboot`",
    "; reboot",
    "a'b",
    "'",
    "''",
    '"',
    "\\",
    "\\'",
    "a\nb",
    "\n",
    " ",
    "*",
    "~",
    "!!",
    "$HOME",
    "a=b",
    "#",
    "${{ x }}",
    "\x1b[2J",
    "é\u202e",
    "&&",
]


class Door:
    """A transport and the loop that it lives in, for tests that are not asynchronous."""

    def __init__(self, host: Host) -> None:
        self.runner = asyncio.Runner()
        self.site = Site("test", hosts={"box": host})
        self.ssh = self.runner.run(self._made())

    async def _made(self) -> Ssh:
        return Ssh(self.site, NoSecrets(), None)

    def arguments(self, action: SshAction, values: dict[str, Json]) -> list[str]:
        """The arguments that arrived at the far side."""
        request = prepare(action, self.site, values, timeout=20.0).request
        assert isinstance(request, SshRequest)
        ran = self.runner.run(run(self.ssh, request.argv))
        assert ran.result.exit == 0, ran
        return ran.stdout.decode().split("\0")[:-1]

    def close(self) -> None:
        self.runner.run(self.ssh.close())
        self.runner.close()


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Generator[Door]:
    with openssh(Path(tmp_path_factory.mktemp("sshd"))) as server:
        made = Door(server.host())
        try:
            yield made
        finally:
            made.close()


def interpolations(words: list[str]) -> tuple[str, dict[str, Json]]:
    values: dict[str, Json] = {f"v{number}": word for number, word in enumerate(words)}
    return " ".join(f"${{{{ {name} }}}}" for name in values), values


@given(WORDS)
@example(NASTY)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_words_of_a_list_arrive_as_they_are(door: Door, words: list[str]) -> None:
    text, values = interpolations(words)
    action = SshAction(
        parse_template("box", HERE), split_words(SHOW + text, HERE), shell=False, position=HERE
    )
    assert door.arguments(action, values) == words


@given(WORDS)
@example(NASTY)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_values_in_shell_text_arrive_as_one_word_each(door: Door, words: list[str]) -> None:
    text, values = interpolations(words)
    action = SshAction(
        parse_template("box", HERE),
        (parse_template(f'set -- {text}; {SHOW} "$@"', HERE),),
        shell=True,
        position=HERE,
    )
    assert door.arguments(action, values) == words


@given(WORDS)
@example(NASTY)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_values_under_sudo_arrive_as_one_word_each(door: Door, words: list[str]) -> None:
    text, values = interpolations(words)
    action = SshAction(
        parse_template("box", HERE),
        (parse_template(f'set -- {text}; {SHOW} "$@"', HERE),),
        shell=True,
        sudo=True,
        position=HERE,
    )
    assert door.arguments(action, values) == words
