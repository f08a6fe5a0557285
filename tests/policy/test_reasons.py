"""A judgement says which word decided and why, so that whoever wrote the command knows what to change."""

import shlex
from pathlib import Path

import pytest

from breakglass.policy import tables
from breakglass.policy.commands import (
    READS,
    handed_on,
    is_known,
    judge_command,
    judge_fed,
    judge_kubectl,
    judge_method,
    judge_shell,
    worst_of,
)
from breakglass.policy.placeholders import EXPANSION, VALUE, WORDS, is_literal, literal_start, shown
from breakglass.policy.risk import Judgement, Knowledge, Risk
from breakglass.policy.site_rules import ReadPattern
from breakglass.policy.tables import ProgramOption, Slot, TableError, Usage, allows, built

KINDS = {
    "reads": (Risk.READ, Knowledge.READS),
    "unknown": (Risk.CHANGE, Knowledge.UNKNOWN),
    "probes": (Risk.PROBE, Knowledge.CHANGES),
    "changes": (Risk.CHANGE, Knowledge.CHANGES),
    "destroys": (Risk.DESTRUCTIVE, Knowledge.CHANGES),
}
STAND_INS = {"@V": VALUE, "@E": EXPANSION, "@W": WORDS}


def stood_in(text: str) -> str:
    for name, stand_in in STAND_INS.items():
        text = text.replace(name, stand_in)
    return text


LINES = [
    [part.strip() for part in stood_in(line).split(" | ")]
    for line in (Path(__file__).parent / "cases" / "reasons.txt").read_text().splitlines()
    if line and line[:1] != "#"
]


@pytest.mark.parametrize("parts", LINES, ids=[ascii(parts[1]) for parts in LINES])
def test_the_word_that_decided_and_the_reason_are_said(parts: list[str]) -> None:
    kind, command, *rest = parts
    word, why = rest or ("", READS.why)
    assert judge_command(shlex.split(command)) == Judgement(*KINDS[kind], why, word)


# ---------------------------------------------------------------- shell text, methods, what is fed
def test_of_shell_text_the_worst_command_counts() -> None:
    assert judge_shell("ls; mount") == READS
    assert judge_shell("ls; rm x; nosuch") == judge_command(("rm", "x"))
    changes = judge_command(("git", "push"))
    assert judge_shell("nosuch; git push").knowledge is judge_shell("git push; nosuch").knowledge
    assert judge_shell("git push; nosuch") == changes
    assert judge_shell("nosuch && ls").word == "nosuch"
    assert judge_shell("ls > /srv/x") == Judgement(
        Risk.CHANGE, Knowledge.CHANGES, "> /srv/x writes a file", "/srv/x"
    )
    assert judge_shell("case").why.startswith("the shell text is not understood: ")
    assert judge_shell("case").word == "case"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("x=1", ""),
        ("x=1; y=2", ""),
        ("X=1", "X="),
        ("http_proxy=x", "http_proxy="),
        ("mypath=x", "mypath="),
        ("x=1 ls", "x="),
        ("LANG=C ls", ""),
        ("LANG=C", ""),
        ("LD_PRELOAD=x ls", "LD_PRELOAD="),
    ],
)
def test_a_variable_of_its_own_may_be_set_alone_and_no_other(text: str, word: str) -> None:
    found = judge_shell(text)
    why = f"setting {word[:-1]} may change what a program does" if word else READS.why
    assert (found.word, found.why) == (word, why)
    assert (found.knowledge is Knowledge.UNKNOWN) is bool(word)


@pytest.mark.parametrize(
    ("method", "kind", "why"),
    [
        *[(method, "reads", READS.why) for method in ("GET", "HEAD", "OPTIONS", "get")],
        *[(method, "changes", f"{method} changes something") for method in ("POST", "PUT", "PATCH", "X")],
        ("post", "changes", "POST changes something"),
        ("DELETE", "destroys", "DELETE interrupts or removes something"),
        ("delete", "destroys", "DELETE interrupts or removes something"),
    ],
)
def test_a_request_is_judged_by_its_method(method: str, kind: str, why: str) -> None:
    word = "" if kind == "reads" else method
    assert judge_method(method) == Judgement(*KINDS[kind], why, word)


def test_what_stands_on_the_standard_input_of_a_sender_is_sent() -> None:
    why = "openssl s_client sends what comes in on its standard input"
    assert judge_fed(("openssl", "s_client")) == Judgement(*KINDS["unknown"], why, "s_client")
    assert judge_fed(("sh", "-c", "openssl s_client x")).word == "s_client"
    assert judge_fed(("openssl", "x509")) == judge_fed(()) == READS
    assert judge_shell("echo x | openssl s_client -connect h:1").word == "s_client"
    assert judge_shell("openssl s_client -connect h:1") == READS


def test_no_words_do_nothing_and_a_kubectl_line_needs_no_program() -> None:
    assert judge_command(()) == READS
    assert judge_kubectl(("delete", "pod", "x")) == judge_command(("kubectl", "delete", "pod", "x"))


def test_commands_that_are_handed_on_are_seen() -> None:
    assert handed_on(("sudo", "-n", "timeout", "5", "ls")) == (("timeout", "5", "ls"),)
    assert handed_on(("find", ".", "-exec", "rm", "{}", ";", "-exec", "ls", "{}", "+")) == (
        ("rm", VALUE),
        ("ls", WORDS),
    )
    assert handed_on(("xargs", "-I%", "rm", "a%")) == (("rm", f"a{EXPANSION}"),)
    assert handed_on(("xargs", "rm")) == (("rm", WORDS),)
    assert handed_on(("sudo", "--nosuch", "rm", "x")) == (("rm", "x"),)
    assert handed_on(("/usr/bin/sudo", "rm", "x")) == (("rm", "x"),)
    assert handed_on(("ls", "x")) == handed_on(("nosuch", "ls")) == ()


@pytest.mark.parametrize(
    "folder", ["/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/snap/bin"]
)
def test_in_a_folder_of_the_system_a_program_is_the_one_of_its_name(folder: str) -> None:
    assert judge_command((f"{folder}/ls",)) == READS and is_known(f"{folder}/ls")
    assert not is_known(f"/home/x{folder}/ls") and not is_known(f"{folder}/nosuch")
    assert judge_command((f"{folder}/nosuch",)).why == (
        f"{folder}/nosuch is not a program that is known to read"
    )


def test_what_a_site_has_made_a_read_is_not_passed_over() -> None:
    sites = [Judgement(*KINDS["reads"], "w", site=site) for site in ("a", "b", "a")]
    assert worst_of([READS, *sites]).site == "a; b"
    assert worst_of([READS]).site == "" and worst_of([]) == READS
    changes = judge_command(("rm", "x"))
    assert worst_of([*sites, changes]) == changes


def test_a_site_means_one_word_that_is_no_option_by_a_star() -> None:
    pattern = ReadPattern(("raidctl", "*"))
    for word in ("x", VALUE, f"{VALUE}x", f"x{VALUE}", f"x{EXPANSION}"):
        assert pattern.matches(("raidctl", word)), ascii(word)
    for word in ("-x", f"-{VALUE}", EXPANSION, f"{EXPANSION}{VALUE}", f"x{WORDS}", f"{VALUE}{WORDS}", ""):
        assert not pattern.matches(("raidctl", word)), ascii(word)


def test_risks_are_of_an_order_and_named() -> None:
    assert [(each.name, each.value, each.word) for each in Risk] == [
        ("READ", 0, "read"),
        ("PROBE", 1, "probe"),
        ("CHANGE", 2, "change"),
        ("DESTRUCTIVE", 3, "destructive"),
    ]
    assert is_known("[") and is_known("ls") and not is_known('"["')


def test_a_word_that_is_not_known_is_shown_as_such() -> None:
    assert shown(f"a {VALUE}b {EXPANSION}{WORDS}") == "a …b ……"
    assert is_literal("a b") and not any(map(is_literal, (f"a{VALUE}", f"{EXPANSION}b", WORDS)))
    assert (
        literal_start(f"ab{VALUE}c") == "ab" and literal_start("abc") == "abc" and literal_start(WORDS) == ""
    )


# ---------------------------------------------------------------- the tables
def option(name: str, values: int = 0, **more: object) -> tuple[ProgramOption, ...]:
    return (ProgramOption(name, values, **more),)  # type: ignore[arg-type]


def test_a_line_of_a_table_says_what_each_word_may_be() -> None:
    (found,) = built("x: -a -b= --long=<number> --size[=] -c=on|off -m== -<number> -- any? <numbers>... ")
    assert found.options == {
        "-a": option("-a"),
        "-b": option("-b", 1),
        "--long": option("--long", 1, form="<number>"),
        "--size": option("--size", joined=True),
        "-c": option("-c", 1, form="on|off"),
        "-m": option("-m", 2),
        "-<number>": option("-<number>"),
    }
    assert found.slots == (Slot("--"), Slot("any", optional=True), Slot("<numbers>", repeated=True))
    assert (found.risk, found.why, found.style) == (Risk.READ, "reads", "getopt")
    assert not (found.harmless or found.strict or found.bare or found.unknown or found.needs)


def test_what_a_table_marks_is_not_read() -> None:
    (found,) = built(
        "x: {usage: -a any, changes: {-b -c=: writes it, -d: ''}, destroys: -e, unsure: {-f: is odd, -g: ''}}"
    )
    change, destroy = Risk.CHANGE, Risk.DESTRUCTIVE
    assert found.options == {
        "-a": option("-a"),
        "-b": option("-b", risk=change, why="writes it"),
        "-c": option("-c", 1, risk=change, why="writes it"),
        "-d": option("-d", risk=change, why="changes something"),
        "-e": option("-e", risk=destroy, why="interrupts or removes something"),
        "-f": option("-f", risk=change, known=False, why="is odd"),
        "-g": option("-g", risk=change, known=False, why="is not known to read"),
    }


def test_a_program_may_have_several_usages_and_take_those_of_another() -> None:
    assert built("x: [change, {is: probe, why: may hang}, any]") == (
        Usage(Risk.CHANGE, "changes something"),
        Usage(Risk.PROBE, "may hang"),
        Usage(why="reads", slots=(Slot("any"),)),
    )
    assert built("x: {as: ls}") == tables.usages("ls")
    assert built("x: {usage: [-a, any], harmless: 'true', bare: 'true', needs: -a, unknown: is odd}") == (
        Usage(
            why="reads",
            options={"-a": option("-a")},
            slots=(Slot("any"),),
            needs=frozenset(("-a",)),
            harmless=True,
            bare=True,
            unknown="is odd",
        ),
    )


def test_behind_a_command_that_is_handed_on_options_are_its_own() -> None:
    for line, strict in [
        ("-a <command>", True),
        ("-a <command>?", True),
        ("-a <shell-words>", True),
        ("-a <command-and-input>", True),
        ("-a -- <command>", False),
        ("-a any", False),
        ("-a", False),
    ]:
        assert built(f"x: {line}")[0].strict is strict, line
    assert built("x: {usage: any, strict: 'true'}")[0].strict


def test_subcommands_take_the_global_options_and_style_of_what_is_above() -> None:
    (found,) = built(
        "x: {global: -a -b=, style: pflag, usage: -c, "
        "subcommands: {one two: -b -d any, three: {style: go, usage: -a, subcommands: {four: change}}}}"
    )
    one = found.subcommands["one"]
    assert one is found.subcommands["two"] and set(found.subcommands) == {"one", "two", "three"}
    assert (one[0].style, one[0].slots) == ("pflag", (Slot("any"),))
    assert one[0].options == {"-a": option("-a"), "-b": option("-b"), "-d": option("-d")}
    (three,) = found.subcommands["three"]
    assert three.style == "go" and three.options["-b"] == option("-b", 1)
    assert three.options["-a"] == (*option("-a"), *option("-a"))
    (four,) = three.subcommands["four"]
    assert (four.risk, four.style, set(four.options)) == (Risk.CHANGE, "go", {"-a", "-b"})
    assert set(found.options) == {"-a", "-b", "-c"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x: {usge: any}", "x: unknown keys usge"),
        ("x: {is: odd}", "x: is no risk, or no style"),
        ("x: {usage: any, style: loud}", "x: is no risk, or no style"),
        ("x: [[], 1]", None),
        ("x: {usage: {a: b}}", "usage: {'a': 'b'} is no text"),
        ("x: {needs: -l, usage: -a}", "x: needs -l, which is no option of it"),
        ("x: {subcommands: [a]}", "x: `subcommands` is no mapping"),
        ("x: {subcommands: {a: any, a b: any}}", "x: a is listed twice"),
        ("x: {usage: any, bare: yes}", "x: bare is true or false"),
        ("x: {changes: [a]}", "x: options are a line, or lines with reasons"),
        ("x: -=a", "x: '-=a' is no option"),
        ("x: -a -a=", "x: -a is listed with a value and without"),
        ("x: <nosuch>", "x: there is no form <nosuch>"),
        ("x: -a=<nosuch>", "x: there is no form <nosuch>"),
        ("[a]", "no mapping: '[a]'"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(text: str, why: str | None) -> None:
    if why is None:
        assert built(text)
        return
    with pytest.raises(TableError) as error:
        built(text)
    assert str(error.value) == why


def test_a_text_is_of_a_form_or_it_is_not() -> None:
    assert allows("on|off", "on") and allows("on|off", "off") and not allows("on|off", "o")
    assert allows("<number>", "12") and not allows("<number>", "12x") and not allows("<number>", "x12")
    assert allows("any", "") and allows("<command>", "rm")
    assert allows("<assignment>", "LANG=C") and not allows("<assignment>", "LD_PRELOAD=x")
