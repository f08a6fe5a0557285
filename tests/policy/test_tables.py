"""The tables are of their format, and say nothing that their manuals contradict."""

import shutil
import subprocess
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
import yaml

from breakglass.policy import tables
from breakglass.policy.commands import judge_command, judge_shell
from breakglass.policy.placeholders import EXPANSION, VALUE, WORDS
from breakglass.policy.risk import Knowledge, Risk
from breakglass.policy.tables import TableError, Usage


def usages_of(program: str) -> Iterator[tuple[str, Usage]]:
    left = [(program, usage) for usage in tables.usages(program)]
    while left:
        name, usage = left.pop()
        yield name, usage
        for word, below in usage.subcommands.items():
            left += [(f"{name} {word}", each) for each in below]


@pytest.mark.parametrize("program", tables.programs())
def test_a_table_is_of_the_format(program: str) -> None:
    assert tables.usages(program)


def test_a_program_has_one_table() -> None:
    found = tables.programs()
    assert len(found) == len(set(found))
    assert not any(name.startswith("-") or "/" in name for name in found)


@pytest.mark.parametrize(
    "text",
    [
        "x: {usge: any}",
        "x: {usage: any, is: harmless}",
        "x: {usage: -a=<nothing-like-it>}",
        "x: {usage: any, style: loud}",
        "x: {needs: -l, usage: -a}",
        "x: {usage: -a -a=}",
        "x: {usage: -=a}",
        "x: {usage: any, harmless: maybe}",
        "x: {subcommands: [a, b]}",
        "x: {subcommands: {a: any, b a: any}}",
        "x: {changes: [-a]}",
        "x: {as: ls, usage: any}",
    ],
)
def test_a_table_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(TableError):
        tables.built(text)


def handing_on() -> dict[str, set[str]]:
    """The names of all options of each program, and subcommand, that can hand a command on."""
    found: dict[str, set[str]] = {}
    for program in tables.programs():
        by_name: dict[str, list[Usage]] = {}
        for name, usage in usages_of(program):
            by_name.setdefault(name, []).append(usage)
        for name, usages in by_name.items():
            if any(slot.form in tables.HANDED_ON for usage in usages for slot in usage.slots):
                found[name] = {option for usage in usages for option in usage.options}
    return found


def test_an_option_behind_a_command_that_is_handed_on_makes_it_no_read() -> None:
    """It is that command's: `sudo umount /srv -l` unmounts, and lists nothing."""
    for program, options in handing_on().items():
        if program in ("su", "runuser"):
            continue  # these two read their options behind operands: `su ops -c id` runs id
        for option, before in product(sorted(options), ([], ["--"], ["5"], ["web"])):
            words = [*program.split(), *before, "umount", "/srv", option]
            assert judge_command(words).risk is not Risk.READ, words
            assert judge_command([*words, "id"]).risk is not Risk.READ, words


def test_where_one_usage_ends_options_at_an_operand_all_do_but_one_that_says_otherwise() -> None:
    for_each = tables.built("x: [{needs: -l, usage: -l any...}, <command>]")
    assert [usage.strict for usage in for_each] == [True, True]
    but_one = tables.built("x: [{needs: -c, usage: -c= any..., strict: false}, <command>]")
    assert [usage.strict for usage in but_one] == [False, True]
    none = tables.built("x: [{needs: -l, usage: -l any...}, any]")
    assert [usage.strict for usage in none] == [False, False]


def test_every_form_is_used_and_every_pattern_is_one() -> None:
    text = "".join(path.read_text() for path in tables.FOLDER.glob("[a-z]*.yaml"))
    assert [form for form in tables.forms() if form not in text] == []
    assert all(tables.assignments().values())


def test_no_form_takes_a_text_that_is_not_known_as_a_whole() -> None:
    assert not [form for form in tables.forms() for text in (EXPANSION, WORDS) if tables.allows(form, text)]


@pytest.mark.parametrize("program", tables.programs())
def test_a_harmless_program_has_no_option_that_is_not(program: str) -> None:
    for name, usage in usages_of(program):
        if usage.harmless:
            assert usage.risk is Risk.READ, name
            assert not usage.subcommands, name
            variants = [each for found in usage.options.values() for each in found]
            assert all(
                each.known and each.risk is Risk.READ and each.form == tables.ANY for each in variants
            ), name
            assert all(slot.form == tables.ANY for slot in usage.slots), name


@pytest.mark.parametrize("stand_in", [VALUE, EXPANSION, WORDS])
@pytest.mark.parametrize("program", tables.programs())
def test_nothing_but_an_operand_may_be_unknown(program: str, stand_in: str) -> None:
    """The first word after a program that has subcommands, runs a command or takes a text is never open."""
    judgement = judge_command((program, stand_in))
    for usage in tables.usages(program):
        forms = {slot.form for slot in usage.slots[:1]}
        if usage.subcommands or forms & (tables.LANGUAGES | tables.HANDED_ON):
            assert judgement.risk >= Risk.CHANGE
    if stand_in != VALUE and not any(usage.harmless for usage in tables.usages(program)):
        words = {slot.form for usage in tables.usages(program) for slot in usage.slots}
        assert judgement.risk >= Risk.CHANGE or words & {tables.WORDS, tables.TEST}


def test_a_value_stays_an_operand() -> None:
    assert judge_command(("cat", VALUE)).risk is Risk.READ
    assert judge_command(("sort", VALUE)).risk is Risk.READ
    assert judge_command(("sort", EXPANSION)).knowledge is Knowledge.UNKNOWN
    assert judge_command(("sort", "--", EXPANSION)).risk is Risk.READ
    assert judge_command(("cat", EXPANSION)).risk is Risk.READ
    assert judge_command(("ls", WORDS)).risk is Risk.READ
    assert judge_command(("uniq", WORDS)).risk is Risk.CHANGE
    assert judge_command(("cut", f"-d{EXPANSION}", "-f1")).risk is Risk.READ
    assert judge_command(("sort", f"-k{EXPANSION}", "x")).risk is Risk.CHANGE
    assert judge_command(("sort", f"-k1{EXPANSION}", "x")).risk is Risk.READ
    assert judge_command(("date", VALUE)).risk is Risk.CHANGE
    assert judge_command(("sysctl", f"vm.{VALUE}")).risk is Risk.CHANGE
    assert judge_command(("curl", VALUE)).risk is Risk.CHANGE
    assert judge_command(("curl", f"http://{VALUE}/x")).risk is Risk.READ


def test_a_judgement_names_the_word_that_decided() -> None:
    assert judge_shell("ls; sort -o x y").word == "-o"
    assert judge_shell("docker restart x").word == "restart"
    assert judge_shell("sudo frobnicate").word == "frobnicate"
    assert judge_shell("PATH=/x ls").word == "PATH="
    assert judge_shell("ls").word == ""


@pytest.mark.parametrize("path", sorted(tables.FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_text_of_a_program_is_found_where_its_file_has_it(path: Path) -> None:
    """Names are found by a pattern at the beginning of a line; the whole file must say the same."""
    if not path.name.startswith("_"):
        whole: object = yaml.load(path.read_text(), yaml.CBaseLoader)
        assert isinstance(whole, dict)
        names = {name for names in whole for name in str(names).split()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        assert names <= set(tables.programs())


def test_the_tables_are_shipped(tmp_path: Path) -> None:
    """The wheel takes the whole package; nothing may keep data files out of it."""
    ignored = subprocess.run(
        [shutil.which("git") or "git", "check-ignore", *tables.FOLDER.glob("*.yaml")],
        cwd=tables.FOLDER,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ignored.stdout == ""
