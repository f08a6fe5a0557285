import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakglass.rehearsal.commands import read_line, read_words


@pytest.mark.parametrize(
    ("line", "innermost"),
    [
        ("qm status 201", "qm status 201"),
        ("sudo -n -- umount -l /mnt/x", "umount -l /mnt/x"),
        ("sudo -n umount -l /mnt/x", "umount -l /mnt/x"),
        ("sudo -u ops id", "id"),
        ("timeout -k 5 30 mount -t nfs -o 'a,b' s:/x /y", "mount -t nfs -o a,b s:/x /y"),
        ("/usr/bin/sudo -n /usr/bin/timeout 3 cat /proc/mounts", "cat /proc/mounts"),
        ("sudo -n -- sh -c 'cat /proc/mounts | grep abc'", "cat /proc/mounts | grep abc"),
        ("bash -c 'timeout 10 df -k /dev/shm'", "df -k /dev/shm"),
        ("env LC_ALL=C nice -n 5 ps -eo stat,args", "ps -eo stat,args"),
        ("grep 'a b' /etc/hosts", "grep a b /etc/hosts"),
    ],
)
def test_wrappers_and_quotes_are_looked_through(line: str, innermost: str) -> None:
    assert read_line(line).text == innermost


def test_the_shortest_timeout_around_a_command_holds() -> None:
    assert read_line("timeout 60 sh -c 'timeout 5s vault status'").limit == 5.0
    assert read_line("timeout 2m true").limit == 120.0
    assert read_line("vault status").limit is None


def test_sudo_is_seen_wherever_it_stands() -> None:
    assert read_line("timeout 5 sudo -n reboot").sudo
    assert not read_line("echo sudo").sudo


def test_a_line_that_needs_a_shell_stays_whole() -> None:
    line = read_line("ps -eo stat,args | awk '$1 ~ /^D/'")
    assert line.words == ()
    assert line.text == "ps -eo stat,args | awk '$1 ~ /^D/'"


def test_a_quoted_operator_needs_no_shell() -> None:
    assert read_line("grep 'a|b' /etc/hosts").words == ("grep", "a|b", "/etc/hosts")


@given(st.lists(st.text(min_size=1, alphabet=st.characters(exclude_categories=("Cs", "Cc"))), min_size=1))
def test_words_and_the_same_words_quoted_are_the_same_command(words: list[str]) -> None:
    line = read_line(shlex.join(words))
    if line.words:
        assert line.words == read_words(words).words


@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    assert read_line(text).texts
