"""What is sent to sshd means the same to every login shell."""

import shlex

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from breakglass.policy.login_shell import argv_of, wire_of

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@pytest.mark.parametrize(
    ("argv", "wire"),
    [
        (("qm", "status", "201"), "qm status 201"),
        (("sudo", "-n", "--", "systemctl", "restart", "kubelet"), "sudo -n -- systemctl restart kubelet"),
        (("cat", "/var/run/qemu-server/201.pid"), "cat /var/run/qemu-server/201.pid"),
        (("date", "-u", "+%s"), "date -u +%s"),
        (("docker", "inspect", "-f", "{{.Name}} $x", ""), "docker inspect -f '{{.Name}} $x' ''"),
        (("sh", "-c", 'ls "$1" | head -1', "sh", "/srv"), "sh -c 'ls \"$1\" | head -1' sh /srv"),
    ],
)
def test_words_that_every_shell_reads_alike_are_sent_as_they_are(argv: tuple[str, ...], wire: str) -> None:
    assert wire_of(argv) == wire


@pytest.mark.parametrize("argv", [("ls", "it's"), ("ls", "a\\b"), ("ls", "hi!"), ("ls", "a\nb"), ("ls", "é")])
def test_what_shells_read_differently_is_sent_as_numbers(argv: tuple[str, ...]) -> None:
    wire = wire_of(argv)
    assert wire.startswith("sh -c 'for ")
    assert argv_of(shlex.split(wire)) == argv


OWN_WORDS = """
begin case coproc do done elif else end endif endsw esac fi for foreach function goto if in nocorrect noglob
repeat select switch then time until while
alloc bg breaksw chdir default dirs echo echotc filetest glob hashstat hup kill limit log login
logout newgrp nice
nohup notify onintr printenv rehash sched setenv settc setty stop suspend telltc unalias uncomplete
unhash unlimit unsetenv watchlog where which
abbr and argparse bind block breakpoint builtin commandline complete contains count disown emit functions
history math not or path random realpath set set_color status string test [
autoload bye compgen compopt disable emulate enable fc float getln help integer mapfile print printf pushd
popd pushln r readarray shopt ttyctl vared whence zle zmodload
"""
"""What the program knows of the shells' own words, a second time."""


@pytest.mark.parametrize("program", OWN_WORDS.split())
def test_a_program_that_a_login_shell_takes_for_its_own_word_is_left_to_sh(program: str) -> None:
    sent = shlex.split(wire_of((program, "x")))
    assert sent[:2] == ["sh", "-c"] and sent[3:] == ["sh", program, "x"]


@given(st.lists(TEXT, min_size=1, max_size=8))
@example(["", ""])
@example(["ls", "\\0101", "\\", "\\\\0"])
def test_the_words_can_be_had_back(argv: list[str]) -> None:
    assert argv_of(shlex.split(wire_of(argv))) == tuple(argv)


@given(st.lists(TEXT, min_size=1, max_size=8))
def test_the_string_is_printable_and_holds_nothing_that_a_shell_reads_within_quotes(argv: list[str]) -> None:
    wire = wire_of(argv)
    assert wire.isascii() and wire.isprintable() and "!" not in wire
    quoted = wire.split("'")[1::2]
    assert len(wire.split("'")) % 2 == 1, "every quote is closed"
    assert all("\\" not in each.replace("\\0", "") for each in quoted)
    assert "\\" not in "".join(wire.split("'")[::2])
