"""Everyday reads run unasked, and nothing that changes something does: two long lists of commands."""

import string
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakglass.policy import tables
from breakglass.policy.commands import judge_command, judge_kubectl, judge_shell
from breakglass.policy.risk import Knowledge, Risk
from breakglass.policy.shell import parse

CASES = Path(__file__).parent / "cases"
MOST_THAT_ASK = 0.1


def lines(name: str) -> list[str]:
    """The lines of a file of cases that are commands."""
    text = (CASES / name).read_text()
    return [line for line in text.splitlines() if line and not line.startswith("#")]


READS = lines("reads.txt")
CHANGES = lines("changes.txt")
KNOWN_READS = [line for line in READS if not line.startswith("? ")]


@pytest.mark.parametrize("line", READS)
def test_a_read_is_known_by_every_word(line: str) -> None:
    asks = line.startswith("? ")
    judgement = judge_shell(line.removeprefix("? "))
    assert (judgement.risk is Risk.READ) is not asks, judgement
    assert (judgement.knowledge is Knowledge.READS) is not asks


def test_few_reads_still_ask() -> None:
    assert sum(line.startswith("? ") for line in READS) < MOST_THAT_ASK * len(READS)


@pytest.mark.parametrize("line", CHANGES)
def test_a_change_is_never_a_read(line: str) -> None:
    at_least, _, command = line.partition(" ")
    judgement = judge_shell(command)
    assert judgement.risk >= {"C": Risk.CHANGE, "D": Risk.DESTRUCTIVE}[at_least], judgement
    assert judgement.why


def test_kubectl_is_judged_alike_with_its_name_and_without() -> None:
    for line in (each for each in KNOWN_READS if each.startswith("kubectl ")):
        for command in parse(line):
            if command.words[0] == "kubectl":
                assert judge_kubectl(command.words[1:]) == judge_command(command.words)


def simple_reads() -> list[Sequence[str]]:
    """The reads that are one command, without assignments, whose options mean something."""
    found: list[Sequence[str]] = []
    for line in KNOWN_READS:
        commands = parse(line)
        if len(commands) == 1 and not commands[0].assignments and not _takes_any_words(commands[0].words[0]):
            found.append(commands[0].words)
    return found


def _takes_any_words(program: str) -> bool:
    return any(
        slot.form in (tables.WORDS, tables.TEST) for usage in tables.usages(program) for slot in usage.slots
    )


SIMPLE = st.sampled_from(simple_reads())


@given(words=SIMPLE, name=st.text(string.ascii_lowercase, min_size=3))
def test_an_option_that_no_table_has_makes_it_no_read(words: Sequence[str], name: str) -> None:
    assert judge_command((words[0], f"--zz{name}", *words[1:])).risk >= Risk.CHANGE


@given(
    words=SIMPLE, folder=st.sampled_from(["./", "../", "/tmp/", "bin/", "/opt/x/bin/", "/usr/bin/../../tmp/"])
)
def test_a_program_that_is_not_in_a_folder_of_the_system_is_not_known(
    words: Sequence[str], folder: str
) -> None:
    name = words[0].rpartition("/")[2]
    assert judge_command((folder + name, *words[1:])).knowledge is Knowledge.UNKNOWN


@given(words=SIMPLE, data=st.data())
def test_a_long_option_that_is_cut_short_is_not_known(words: Sequence[str], data: st.DataObject) -> None:
    index = data.draw(st.sampled_from(range(len(words))))
    name, equals, value = words[index].partition("=")
    if not name.startswith("--") or len(name) < 5:
        return
    short = data.draw(st.sampled_from([name[:end] for end in range(4, len(name))]))
    if short in every_option(words[0]):
        return
    changed = (*words[:index], short + equals + value, *words[index + 1 :])
    assert judge_command(changed).risk >= Risk.CHANGE


def every_option(program: str) -> set[str]:
    """The names of all options of a program and of its subcommands, however deep."""
    found: set[str] = set()
    left = list(tables.usages(program))
    while left:
        usage = left.pop()
        found |= usage.options.keys() | {f"-{name}" for name in usage.options}
        left += [each for each_list in usage.subcommands.values() for each in each_list]
    return found


@given(
    line=st.sampled_from(KNOWN_READS),
    name=st.text(string.ascii_uppercase, min_size=1).filter(lambda name: name not in tables.assignments()),
)
def test_a_variable_that_is_not_on_the_list_makes_it_no_read(line: str, name: str) -> None:
    if parse(line)[0].words[:1] and line.startswith(parse(line)[0].words[0]):
        assert judge_shell(f"{name}=1 {line}").risk >= Risk.CHANGE


@pytest.mark.parametrize("line", ["watch " * 400 + "rm x", "nice " * 2000 + "ls", "sudo " * 2000 + "rm x"])
def test_programs_that_run_one_another_without_end_are_not_known(line: str) -> None:
    assert judge_shell(line).risk >= Risk.CHANGE


@pytest.mark.parametrize("option", ["-A", "-e", "-b", "-r", "--oauth2-bearer", "--request-target"])
def test_a_line_break_in_what_curl_sends_is_no_read_since_another_request_may_follow(option: str) -> None:
    begun = "x HTTP/1.1\r\nHost: h\r\n\r\nDELETE /obj"
    for words in (["curl", option, begun, "http://h"], ["curl", f"{option}={begun}", "http://h"]):
        assert judge_command(words).risk > Risk.READ
    assert judge_command(["curl", option, "x", "http://h"]).risk is Risk.READ


@pytest.mark.parametrize(
    "line", ["kubeadm upgrade plan", "velero backup logs b1", "velero backup describe b1 --details"]
)
def test_what_leaves_an_object_behind_is_a_probe(line: str) -> None:
    assert judge_shell(line).risk is Risk.PROBE
