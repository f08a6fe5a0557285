"""Which options take a value stands here a second time. Taken wrongly, the next word becomes something else:
were `-n` of sudo to take one, the command behind it would be read as that value.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

import pytest

from breakglass.policy import tables
from breakglass.policy.commands import judge_command
from breakglass.policy.risk import Risk
from breakglass.policy.tables import ProgramOption, Usage

LISTED = {
    (name, option.rstrip("=[]")): {
        word for word in options.split() if word.rstrip("=[]") == option.rstrip("=[]")
    }
    for line in (Path(__file__).parent / "cases" / "values.txt").read_text().splitlines()
    if line[:1] != "#"
    for names, _, options in [line.partition(": ")]
    for name in names.split(", ")
    for option in options.split()
}


def ways(name: str, usages: Sequence[Usage]) -> Iterator[tuple[str, Sequence[Usage]]]:
    """The usages of a program, and those of each of its subcommands, by their names."""
    yield name, usages
    below = [(word, each) for usage in usages for word, found in usage.subcommands.items() for each in found]
    for word, found in groupby(sorted(below, key=lambda each: each[0]), key=lambda each: each[0]):
        yield from ways(f"{name} {word}", [each for _, each in found])


def written(option: ProgramOption) -> str:
    return option.name + ("[=]" if option.joined else "=" * option.values)


def listed(name: str, option: str) -> set[str]:
    """How an option is written for a command, or for what it is a subcommand of."""
    while name:
        if (name, option) in LISTED:
            return LISTED[name, option]
        name = name.rpartition(" ")[0]
    return {option}


@pytest.mark.parametrize("letter", sorted({name[0] for name in tables.programs()}))
def test_an_option_takes_a_value_where_its_manual_says_so_and_nowhere_else(letter: str) -> None:
    for program in tables.programs():
        if program.startswith(letter):
            for name, usages in ways(program, tables.usages(program)):
                for option in {option for usage in usages for option in usage.options}:
                    found = {written(each) for usage in usages for each in usage.options.get(option, ())}
                    assert found == listed(name, option), (name, option)


def test_each_option_of_the_list_is_one_of_its_program() -> None:
    found = {
        (name, option)
        for program in tables.programs()
        for name, usages in ways(program, tables.usages(program))
        for usage in usages
        for option in usage.options
    }
    assert LISTED.keys() <= found


UNSURE = [
    (name, option)
    for line in (Path(__file__).parent / "cases" / "unsure.txt").read_text().splitlines()
    if line[:1] != "#"
    for names, _, options in [line.partition(": ")]
    for name in names.split(", ")
    for option in options.split()
]


@pytest.mark.parametrize("letter", sorted({name[0] for name, _ in UNSURE}))
def test_a_command_with_an_option_that_nobody_knows_to_read_asks_first(letter: str) -> None:
    for name, option in UNSURE:
        if name.startswith(letter):
            joined = f"{option}=x" if option.startswith("--") else f"{option}x"
            for words in ([option], [option, "x"], [joined]):
                assert judge_command([*name.split(), *words]).risk is not Risk.READ, (name, words)
