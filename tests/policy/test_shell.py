"""What `parse` says of shell text: every command with its words, or where it cannot be understood."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from breakglass.policy.placeholders import EXPANSION, VALUE, WORDS
from breakglass.policy.shell import LONGEST, ShellSyntaxError, SimpleCommand, parse

E, W = EXPANSION, WORDS


def lines(text: str) -> list[str]:
    """The words of each command, parted by `|`."""
    return ["|".join(command.words) for command in parse(text)]


def refusal(text: str) -> ShellSyntaxError:
    with pytest.raises(ShellSyntaxError) as caught:
        parse(text)
    return caught.value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("# nothing\n\n", []),
        ("ls -l /srv", ["ls|-l|/srv"]),
        ("a; b & c && d || e | f\ng", ["a", "b", "c", "d", "e", "f", "g"]),
        ("ls \\\n  -l # all of it\nid", ["ls|-l", "id"]),
        ("ls a#b ''#c", ["ls|a#b|#c"]),
        ("! grep -q x f", ["grep|-q|x|f"]),
        ("time ls -l", ["time|ls|-l", "ls|-l"]),
        ("(a; b) & { c; d; }", ["a", "b", "c", "d"]),
        ("if a; then b; elif c; then d; else e; fi", ["a", "b", "c", "d", "e"]),
        ("while read l; do echo x; done", ["read|l", "echo|x"]),
        ("until ping -c1 h\ndo sleep 1\ndone", ["ping|-c1|h", "sleep|1"]),
        ("case $(a) in (b|c) d;; *) e | f; esac", ["a", "d", "e", "f"]),
        (
            'echo $(a $(b)) `c` "$(d "$(e)")" "`f`"',
            ["b", f"a|{W}", "c", "e", f"d|{E}", "f", f"echo|{W}|{W}|{E}|{E}"],
        ),
        ("cat <<< $(a)", ["a", "cat"]),
        ("ls > $(a)", ["a", "ls"]),
        ("x=$(a) y=`b` c", ["a", "b", "c"]),
        ("[[ -f /etc/hosts ]] && echo yes", ["[[|-f|/etc/hosts|]]", "echo|yes"]),
        ("[ -f f ]; test a = b", ["[|-f|f|]", "test|a|=|b"]),
    ],
)
def test_every_command_of_a_text_is_found(text: str, expected: list[str]) -> None:
    assert lines(text) == expected


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("'a b'\"c d\"\\ e", ["a b" + "c d" + " e"]),
        ('"a\\"b\\$c\\d\'e"', ["a\"b$c\\d'e"]),
        ("'a\nb'", ["a\nb"]),
        ('""', [""]),
        ("a$", ["a$"]),
        ('"^a$"', ["^a$"]),
        ("~/f ~", ["~/f", "~"]),
        ('$x "$x" a$x', [W, E, f"a{W}"]),
        ('${x} ${x:-a} ${x%%.*} "${x##*/}"', [W, W, W, E]),
        ('"$@" "$*" $*', [W, E, W]),
        ("$? $# $$ ${#x} $((1 + (2 * 3)))", [E, E, E, E, E]),
        ("* -*.log [a-z]x", [W, f"-{W}.log", W]),
        ("/srv/* a?b a[bc]d", [f"/srv/{E}", f"/srv/{E}", f"a{E}b", f"a{E}b", f"a{E}", f"a{E}"]),
        ('"$d"/*.log', [f"{E}/{E}.log", f"{E}/{E}.log"]),
        ("'*' \\* \"?\"", ["*", "*", "?"]),
        ("{} {{.Names}} %{http_code} stash@{0}", ["{}", "{{.Names}}", "%{http_code}", "stash@{0}"]),
        (f"{VALUE} a{VALUE} '{VALUE}' \"{VALUE}\"", [VALUE, f"a{VALUE}", VALUE, VALUE]),
        (f"{VALUE}*", [f"{VALUE}{E}", f"{VALUE}{E}"]),
    ],
)
def test_words_have_their_quotes_removed_and_stand_ins_for_what_is_not_known(
    word: str, expected: list[str]
) -> None:
    (command,) = parse(f"ls {word}")
    assert list(command.words[1:]) == expected


def test_a_command_whose_name_is_expanded_begins_with_the_stand_in() -> None:
    assert parse("x='rm -rf /'; $x") == (SimpleCommand((), (("x", "rm -rf /"),)), SimpleCommand((W,)))
    assert lines('"$x" a; $(b) c') == [f"{E}|a", "b", f"{W}|c"]


def test_braces_are_expanded_as_bash_does_and_left_as_dash_does() -> None:
    assert lines("ls {a,b}c{1..3}") == ["ls|{a,b}c{1..3}", "ls|ac1|ac2|ac3|bc1|bc2|bc3"]
    assert lines("ls {3..1}") == ["ls|{3..1}", "ls|3|2|1"]
    assert lines('ls "{a,b}"') == ["ls|{a,b}"]


def test_assignments_stand_apart_from_the_words() -> None:
    assert parse("LC_ALL=C x=$y ls a=b") == (SimpleCommand(("ls", "a=b"), (("LC_ALL", "C"), ("x", E))),)
    assert parse("PATH=/evil; ls") == (SimpleCommand((), (("PATH", "/evil"),)), SimpleCommand(("ls",)))
    assert parse("x=$(date +%s)") == (SimpleCommand(("date", "+%s")), SimpleCommand((), (("x", E),)))


def test_a_loop_assigns_each_of_its_words() -> None:
    assigned, command = parse('for i in a b* $c; do ls "$i"; done')
    assert assigned == SimpleCommand((), (("i", "a"), ("i", f"b{E}"), ("i", f"b{E}"), ("i", E)))
    assert command.words == ("ls", E)


@pytest.mark.parametrize(
    ("redirection", "written"),
    [
        (">f", ["f"]),
        (">> 'a b'", ["a b"]),
        ("2>f", ["f"]),
        (">|f", ["f"]),
        ("<>f", ["f"]),
        (">&f", ["f"]),
        ("&>f", ["f"]),
        ("&>>f", ["f"]),
        ('>"$f"', [E]),
        (f">{VALUE}", [VALUE]),
        (">f 2>&1 >g", ["f", "g"]),
        (">/dev/null 2>&1 </dev/null", []),
        ("2>&- <&- 2>/dev/stdout >&2 >/dev/stderr", []),
        (">/dev/null/../sda", ["/dev/null/../sda"]),
        ("<f <<<f", []),
        ("</dev/tcp/h/80", ["/dev/tcp/h/80"]),
        ("</dev/udp/$h/53", [f"/dev/udp/{W}/53"]),
        ("</srv/$f", []),
        ('<"$f"', [E]),
        (f"<{VALUE}", [VALUE]),
        ("</dev/$f", [f"/dev/{W}"]),
    ],
)
def test_what_a_redirection_may_write_is_reported(redirection: str, written: list[str]) -> None:
    (command,) = parse(f"ls {redirection}")
    assert command == SimpleCommand(("ls",), (), tuple(written))


@pytest.mark.parametrize("compound", ["(ls)", "{ ls; }", "if ls; then ls; fi", "case a in a) ls;; esac"])
def test_what_a_compound_command_writes_is_a_command_of_its_own(compound: str) -> None:
    assert parse(f"{compound} >f 2>&1")[-1] == SimpleCommand(writes=("f",))
    assert parse("while read l; do ls; done < f")[-1] == SimpleCommand(("ls",))


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("ls $'a'", "$'"),
        ('ls $"a"', '$"'),
        ("cat <<E\na\nE", "<<"),
        ("cat <<-E\na\nE", "<<"),
        ("ls ${x:-$y}", "${"),
        ("ls ${x:-'a'}", "${"),
        ("ls ${x:=a}", "${"),
        ("ls ${x/a/b}", "${"),
        ("ls ${x:1:2}", "${"),
        ("ls ${!x}", "${"),
        ("ls ${x@P}", "${"),
        ("ls ${x[0]}", "${"),
        ("ls ${x", "${"),
        ("ls $[1]", "$["),
        ("ls `a \\`b\\``", "`a"),
        ('ls "`a "b"`"', "`a"),
        ("ls `a", "`a"),
        ("ls $((x))", "x))"),
        ("ls $((a[0]))", "a["),
        ("ls $(($x))", "$x"),
        ("ls $((1) ;a)", ";a"),
        ("ls $((a); b)", "a)"),
        ("((x=1))", "(("),
        ("ls() { a; }", "()"),
        ("ls () { a; }", "()"),
        ("function f { a; }", "function"),
        ("alias ls=rm", "alias"),
        ("command alias ls=rm", "command"),
        ("coproc a", "coproc"),
        ("select x in a; do b; done", "select"),
        ("cat <(a)", "(a"),
        ("tee >(a)", "(a"),
        ("a |& b", "|&"),
        ("a &| b", "|"),
        ("a &! b", "&"),
        ("a; ; b", "; b"),
        ("a;;", ";;"),
        ("; a", ";"),
        ("a &&", None),
        ("a |", None),
        ("! ! a", "! a"),
        ("ls )", ")"),
        ("( )", ")"),
        ("(a", None),
        ("{ a", None),
        ("{ }", "}"),
        ("{a; }", "{a"),
        ("if a; then fi", "fi"),
        ("if a; b; fi", "fi"),
        ("for i in a; b; done", "b;"),
        ("for i in a; { b; }", "{"),
        ("for ((i=0;;)); do a; done", "(("),
        ("for i-j in a; do b; done", "i-j"),
        ("while a; do b", None),
        ("case a in b) c;& esac", "&"),
        ("case a in b c) d;; esac", "c)"),
        ("$(case a in b) c;; esac)", "b)"),
        ("if (a) then b; fi", "then"),
        ("ls }; a", "}"),
        ("ls {; a", "{"),
        ("ls {a,{b,c}}", "{a"),
        ("ls {a,$x}", "{a"),
        ("ls {1..1000}", "{1"),
        ("ls {,a}", "{,"),
        ("{rm,x}", "{rm"),
        ("ls {x}>f", "{x}"),
        ("ls $x{a,b}", "$x"),
        ("ls 12>f", "12"),
        ("ls <1-5>f", "1-5"),
        ("ls >!f", "!f"),
        ('ls >&"$x"', '"$x'),
        (f"ls >&{VALUE}", VALUE),
        ("ls <&f", "f"),
        ("ls &>f a", "a"),
        (">f", ">f"),
        ("x=1 >f", "x"),
        ("ls >", None),
        ("ls @(a|b)", "(a"),
        ("ls *(a)", "(a"),
        ("[[ a && b ]]", "[["),
        ("[[ a < b ]]", "< b"),
        ("[[ -v a ]]", "[["),
        ("[[ $x -eq 1 ]]", "[["),
        ("[[ ]]", "[["),
        ("[[ a ]] b", "[["),
        ("x=1 [[ a ]]", "[["),
        ("'[[' a ]]", "'[["),
        ("'if' a", "'if"),
        ("x=1 if a", "if"),
        ("x+=1 a", "x+"),
        ("x[0]=1", "x["),
        ("x=(a)", "(a"),
        ('"x"=1', '"x'),
        ("ls =rm", "=rm"),
        ("x==rm", "=rm"),
        ("x=a:=rm", "a:"),
        ("ls ~root/f", "~root"),
        ('ls ~"a"', "~"),
        ("ls $x[1]", "$x"),
        ("ls $x:t", "$x"),
        ("ls $10", "$10"),
        ('ls "$$(a)"', "$$"),
        ('ls $"', '$"'),
        ("ls a\\\nb", "\\"),
        ('ls "a\\\nb"', "\\"),
        ("ls a\\", "\\"),
        (f"ls \\{VALUE}", "\\"),
        (f"ls ${VALUE}", "$"),
        (f"ls ~{VALUE}", "~"),
        (f"{VALUE}=1 ls", VALUE),
        (f'ls "`a {VALUE}`"', "`a"),
        ("ls $(a # b)", "# b"),
        ("ls 'a", "'a"),
        ('ls "a', '"a'),
        ("time -p ls", "-p"),
        ("time ! ls", "!"),
        ("path=/a; ls", "path"),
        ("for path in /a; do ls; done", "path"),
        ("RANDOM='a[$(b)]'", "RANDOM"),
        ("repeat 2 ls", "repeat"),
        ("ls\0", "\0"),
        ("ls\ra", "\r"),
        ("ls\x1b", "\x1b"),
        ("ls\u00a0a", "\u00a0"),
        ("ls\u2003a", "\u2003"),
        ("ls\u200ba", "\u200b"),
        ("ls \u202ea", "\u202e"),
        (f"ls {E}", E),
        (f"ls '{W}'", W),
        ("ls \ud800", "\ud800"),
    ],
)
def test_what_is_not_fully_understood_is_refused_at_its_place(text: str, place: str | None) -> None:
    """At the end of the text where `place` is None."""
    problem = refusal(text)
    assert problem.offset == (len(text) if place is None else text.index(place)), str(problem)


HIDDEN = {
    "behind an ANSI-C quote": "ls $'\\''; rm x #'",
    "behind a quote in a here-document": "cat <<E\nls 'a\nE\nrm x # '",
    "behind a brace that is no operator": "ls }#; rm x",
    "behind a # in a parameter": "ls ${x:- # }; rm x",
    "behind a function of another's name": "ls () { rm x; }; ls",
    "in a subscript of arithmetic": "echo $(( a[`rm x`0] ))",
}
SEEN = {
    "on the line after a comment": ("ls #\\\nrm x", ("rm", "x")),
    "behind a case": ("case a in a) ls;; esac; rm x", ("rm", "x")),
    "in a subscript for test": ("test -v 'a[$(rm x)]'", ("test", "-v", "a[$(rm x)]")),
    "in a subscript for printf": ("printf -v 'a[$(rm x)0]' x", ("printf", "-v", "a[$(rm x)0]", "x")),
    "behind an option of xargs": ("echo y | xargs --delimiter w rm", ("xargs", "--delimiter", "w", "rm")),
    "in the text of env": ("env -S 'rm /x/w'", ("env", "-S", "rm /x/w")),
    "in the joined text of env": ("env '-Srm x' ls", ("env", "-Srm x", "ls")),
    "in an awk program": ("awk 'BEGIN{system (\"rm x\")}'", ("awk", 'BEGIN{system ("rm x")}')),
    "in an awk variable": ("awk -v c='rm x' '{print | c}'", ("awk", "-v", "c=rm x", "{print | c}")),
    "in a sed command": ("echo a | sed '1e rm x'", ("sed", "1e rm x")),
    "in a sed flag": ("echo rm x | sed 's|z||;s|rm|rm|e'", ("sed", "s|z||;s|rm|rm|e")),
    "in an option of git": (
        "git ls-remote --upload-pack='rm x;' .",
        ("git", "ls-remote", "--upload-pack=rm x;", "."),
    ),
    "behind an option of stdbuf": ("stdbuf --output 0 rm x", ("stdbuf", "--output", "0", "rm", "x")),
    "in a folder that is not known": ("$FAKE/test", (f"{W}/test",)),
}
ASSIGNED = {
    "on another PATH": ("PATH=$FAKE ls x", ("PATH", E)),
    "in LESSOPEN": ("LESSOPEN='|rm %s' less /etc/hostname | cat", ("LESSOPEN", "|rm %s")),
    "in BASH_ENV": ("BASH_ENV=$FAKE/env bash -c ls", ("BASH_ENV", f"{E}/env")),
}


@pytest.mark.parametrize("text", HIDDEN.values(), ids=HIDDEN)
def test_a_command_that_was_once_hidden_is_refused(text: str) -> None:
    assert refusal(text)


@pytest.mark.parametrize(("text", "words"), SEEN.values(), ids=SEEN)
def test_a_command_that_was_once_hidden_is_seen(text: str, words: tuple[str, ...]) -> None:
    assert words in [command.words for command in parse(text)]


@pytest.mark.parametrize(("text", "assigned"), ASSIGNED.values(), ids=ASSIGNED)
def test_an_assignment_that_once_hid_a_command_is_seen(text: str, assigned: tuple[str, str]) -> None:
    assert assigned in parse(text)[0].assignments


@given(st.text())
@example("ls\u00a0")
@example("\\")
@example("a" * (LONGEST + 1))
def test_every_text_is_read_or_refused(text: str) -> None:
    try:
        parse(text)
    except ShellSyntaxError as problem:
        assert 0 <= problem.offset <= len(text)


REPEATED = (
    *(
        "a ",
        "a;",
        "'",
        '"',
        "`",
        "$(",
        "$((",
        "${x",
        "${x}",
        "$(a) ",
        "(",
        "((",
        "{ ",
        "{a,b}",
        "{a,",
        "{1..9} ",
    ),
    *(
        "*",
        "[",
        "a*",
        "\\",
        " \\\n",
        "#",
        "\n",
        "if a; then ",
        "case a in a) ",
        "time ",
        "! ",
        ">f ",
        "x=1 ",
        "<<<",
    ),
    *("a$x", "~", "=", '"$(', "`a` ", '"`a`" ', "[[ a ]];", "for x in a; do ", "$((1)) ", "-", "é", VALUE),
)


@pytest.mark.parametrize("piece", REPEATED)
def test_a_long_text_is_read_or_refused(piece: str) -> None:
    text = piece * (LONGEST // len(piece))
    try:
        parse(text)
    except ShellSyntaxError as problem:
        assert 0 <= problem.offset <= len(text)


def test_a_longer_text_than_a_program_can_be_given_is_refused() -> None:
    assert refusal("a" * (LONGEST + 1)).offset == LONGEST
