"""Corners of shell text that one wrong letter in the parser would open."""

import pytest

from breakglass.policy.shell import ShellSyntaxError, SimpleCommand, parse


def refused(text: str) -> ShellSyntaxError:
    with pytest.raises(ShellSyntaxError) as raised:
        parse(text)
    return raised.value


@pytest.mark.parametrize(
    ("text", "message", "offset"),
    [
        ("ls <(rm x)", "a process substitution is not understood; use a pipe or a file", 4),
        ("tee >(rm x)", "a process substitution is not understood; use a pipe or a file", 5),
        ("ls (rm x)", "( is not understood here", 3),
        ("(", "the text ends before what it began is complete", 1),
        ("if true", "the text ends before what it began is complete", 7),
        ("ls; ;", "; is not understood here", 4),
        ("ls |& cat", "|& is not understood here", 3),
        ("a && && b", "&& is not understood here", 5),
    ],
)
def test_what_is_not_understood_is_named_at_its_place(text: str, message: str, offset: int) -> None:
    error = refused(text)
    assert (str(error), error.offset) == (message, offset)


def test_the_longest_text_is_read_and_one_more_is_not() -> None:
    assert parse("ls " + "a" * (16 * 1024 - 3))
    assert "longer than 16384 characters" in str(refused("ls " + "a" * (16 * 1024 - 2)))


@pytest.mark.parametrize(
    ("text", "writes"),
    [
        ("ls > x", ("x",)),
        ("ls >> x", ("x",)),
        ("ls >| x", ("x",)),
        ("ls <> x", ("x",)),
        ("ls 2> x", ("x",)),
        ("ls > x 2> y", ("x", "y")),
        ("ls > /dev/null", ()),
        ("ls 2>&1", ()),
        ("ls < x", ()),
    ],
)
def test_a_redirection_says_what_it_writes(text: str, writes: tuple[str, ...]) -> None:
    (command,) = parse(text)
    assert command.writes == writes


@pytest.mark.parametrize(
    "text", ["cat << E\nx\nE", "ls > x{a,b}", "ls 3>x <&3-", "> x", "ls >& $x", "ls < $(rm y"]
)
def test_a_redirection_that_some_shell_reads_otherwise_is_refused(text: str) -> None:
    assert str(refused(text))


@pytest.mark.parametrize("sign", ["&>", ">&", "&>>"])
def test_a_redirection_of_bash_writes_its_file_however_it_is_read(sign: str) -> None:
    found = parse(f"ls {sign} x")
    assert "x" in [target for command in found for target in command.writes]


@pytest.mark.parametrize("word", ["time", "noglob", "nocorrect", "exec", "builtin", "command", "-"])
def test_a_word_in_front_that_some_shell_takes_for_its_own_hides_nothing(word: str) -> None:
    try:
        found = parse(f"{word} rm x")
    except ShellSyntaxError:
        return
    assert any(each.words[-2:] == ("rm", "x") for each in found)


@pytest.mark.parametrize(
    "text",
    [
        "case $x in a) rm y;; esac",
        "case $x in a|b) rm y;; *) rm z;; esac",
        "case $x in (a) rm y; esac",
        "case $x in\na)\nrm y\n;;\nesac",
    ],
)
def test_each_branch_of_a_case_is_a_command(text: str) -> None:
    assert ("rm", "y") in [each.words for each in parse(text)]


@pytest.mark.parametrize("text", ["case $x in esac", "case $x in\nesac", "case $x in a);; esac"])
def test_a_case_may_hold_no_command(text: str) -> None:
    assert [each for each in parse(text) if each.words] == []


@pytest.mark.parametrize(
    "text",
    [
        "case {a,b} in x) ls;; esac",
        "case $x in a) ls;& esac",
        "case $x a) ls;; esac",
        "case $x in a ls;; esac",
        "case $x in a) ls;;",
    ],
)
def test_another_form_of_a_case_is_refused(text: str) -> None:
    assert str(refused(text))


@pytest.mark.parametrize(
    "name",
    [
        "$0a",
        "$10",
        "${x[$(rm y)]}",
        "${x:-$(rm y)",
        "$((a[$(rm y)]))",
        "$[1]",
        "$'a'",
        '$"a"',
        "${!x}",
        "${x@P}",
    ],
)
def test_an_expansion_that_runs_something_or_is_read_differently_is_refused_or_named(name: str) -> None:
    try:
        found = parse(f"ls {name}")
    except ShellSyntaxError:
        return
    assert ("rm", "y") in [each.words for each in found] or "rm" not in name


@pytest.mark.parametrize("text", ["$((1 + 2))", "$((2 * (1 + 2)))", "$(((1)))", "$((1 << 2))"])
def test_arithmetic_of_numbers_is_understood(text: str) -> None:
    assert [each.words[0] for each in parse(f"echo {text}")] == ["echo"]


@pytest.mark.parametrize("text", ["$((x + 1))", "$((a[1]))", "$(($x))", "$((1, x=2))"])
def test_arithmetic_of_anything_else_is_refused(text: str) -> None:
    assert "only numbers and operators" in str(refused(f"echo {text}"))


@pytest.mark.parametrize("text", ["$((1))) ; rm x", "$((1) + 2) ", "$(( (1 )"])
def test_arithmetic_that_ends_elsewhere_is_refused(text: str) -> None:
    assert str(refused(f"echo {text}"))


def test_an_assignment_is_one_only_where_its_name_is_bare() -> None:
    assert parse("a=1 ls") == (SimpleCommand(("ls",), (("a", "1"),)),)
    for text in ("'a'=1 ls", '"a"=1 ls', "\\a=1 ls", "a'='1 ls"):
        try:
            (command,) = parse(text)
        except ShellSyntaxError:
            continue
        assert command.assignments == ()
        assert command.words == ("a=1", "ls")


@pytest.mark.parametrize(
    "word", ["noglob", "nocorrect", "repeat", "foreach", "end", "esac", "in", "done", "-"]
)
def test_a_word_that_is_reserved_in_some_shell_is_no_programs_name(word: str) -> None:
    for text in (f"{word} x", f"ls; {word} x", f"time {word} x"):
        assert str(refused(text))


@pytest.mark.parametrize("text", ["time -p ls", "time time ls", "time -- ls"])
def test_an_option_of_time_may_be_a_programs_name(text: str) -> None:
    assert "write /usr/bin/time" in str(refused(text))


@pytest.mark.parametrize(
    "word",
    [
        "if",
        "then",
        "elif",
        "else",
        "fi",
        "for",
        "in",
        "do",
        "done",
        "while",
        "until",
        "case",
        "esac",
        "{",
        "}",
        "!",
        "function",
        "select",
        "coproc",
    ],
)
def test_a_word_of_the_shells_own_is_no_pattern_of_a_case(word: str) -> None:
    refused(f"case $x in {word}) ls;; esac")
    assert parse(f"case $x in '{word}') ls;; esac")


def test_a_comment_behind_the_words_of_a_loop_hides_what_it_holds() -> None:
    (_, command) = parse("for x in a # b; do rm f\ndo ls; done")
    assert command.words == ("ls",)
    (_, command) = parse("for x in a#b; do ls; done")
    assert command.words == ("ls",)


@pytest.mark.parametrize("following", ["-a", "?", "*", "@", "#", "!", ".", "/"])
def test_what_stands_behind_a_name_is_text_in_every_shell(following: str) -> None:
    (command,) = parse(f"ls $x{following}")
    assert len(command.words) == 2


@pytest.mark.parametrize("following", ["{a,b}", "\u00e9", "\u20ac", "[1]", ":h"])
def test_what_some_shell_reads_into_a_name_is_refused(following: str) -> None:
    assert "what follows is read differently" in str(refused(f"ls $x{following}"))


@pytest.mark.parametrize(
    ("text", "sign"), [("ls <;", ";"), ("ls >|;", ";"), ("ls >&;", ";"), ("ls > )", ")")]
)
def test_a_redirection_without_a_file_is_no_process_substitution(text: str, sign: str) -> None:
    assert "process substitution" not in str(refused(text))


def test_how_to_write_what_a_dollar_cannot_stand_before_is_said() -> None:
    for quote in ("'", '"'):
        assert f"${quote}…{quote} is read differently by some shells" in str(refused(f"ls ${quote}a{quote}"))
        assert "a $ that expands nothing" in str(refused('ls "$\'a"'))
    assert "this form of ${…} is not understood" in str(refused("ls ${x@Q}"))
    assert "a $ that expands nothing" in str(refused("ls $~"))
