"""Which programs of sed are known to read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakglass.policy import placeholders
from breakglass.policy.sed import objection

EVERYDAY = [
    "",
    "p",
    "1p",
    "$p",
    "$d",
    "1,20p",
    "5,$p",
    "2,+3p",
    "1~2p",
    "0,/re/d",
    "10q",
    "/x/q1",
    "$=",
    "/error/p",
    "/error/!d",
    "/error/Ip",
    "/start/,/end/p",
    "/start/,/end/{//!p}",
    "/start/,$p",
    r"\,^/var/log,p",
    "/^#/d; /^$/d",
    "/^#/d;/^$/d",
    "s/a/b/",
    "s/a/b/g; s/c//",
    "s/a/b/ ; s/c/d/",
    "s/a/b/2gp",
    "s/A/b/I",
    "s,/usr,/opt,g",
    "s|/|,|g",
    "s#a#b#",
    "s:a:b:",
    r"s/\//,/g",
    r"s/^[ \t]*//;s/[ \t]*$//",
    "s/[^/]*$//",
    "s|[^|]*|x|",
    "s/[^]]*]/x/",
    "s/[[:space:]]\\+/ /g",
    r"s/\[::1\]//",
    r"s/\(.*\)@\(.*\)/\2 at \1/p",
    r"s/([0-9]+).*/\1/",
    r"s/x/a&b\&c/",
    "s/.*: //p",
    "s/\\x1b\\[[0-9;]*m//g",
    "y/abc/xyz/",
    ":a;N;$!ba;s/\\n/ /g",
    ":a\ns/a/b/\nta",
    "$!{N;ba}",
    ":a;s/a/b/;ta # again",
    "/x/{b};p",
    "n;d",
    "$!N;$!D",
    "1!G;h;$!d",
    "/x/{n;p}",
    "/x/{n;p;}",
    "/x/ { s/a/b/; p }",
    "x;p;x",
    "G",
    "l",
    "#n\np # all of it",
    "p # w is a word of the comment",
    "/x/a more",
    "1i\tfirst line; w f",
    "$c last",
    "s/wörter/Wörter/",
    "/a/,/b/s/c/d/w".removesuffix("w"),
    "1{2{3p}}",
    "s/e/w/;s/w/e/",
]


@pytest.mark.parametrize("program", EVERYDAY)
def test_everyday_programs_read(program: str) -> None:
    assert objection(program) == ""


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("w /etc/fstab", "`w` writes a file"),
        ("$w /etc/fstab", "`w` writes a file"),
        ("1,3 ! w f", "`w` writes a file"),
        ("/a/{p;w f\n}", "`w` writes a file"),
        ("W f", "`W` writes a file"),
        ("s,a,b,w /etc/fstab", "`s` with the flag `w` writes a file"),
        ("s/a/b/gpw f", "`s` with the flag `w` writes a file"),
        ("s/a/b/we /etc/fstab", "`s` with the flag `w` writes a file"),
        ("s|z||;s|rm|rm|e", "`s` with the flag `e` runs a program"),
        ("s/a/b/e", "`s` with the flag `e` runs a program"),
        ("s/a/b/pe", "`s` with the flag `e` runs a program"),
        ("e", "`e` runs a program"),
        ("1e rm -rf /data", "`e` runs a program"),
        ("1!e", "`e` runs a program"),
        (":a;1e rm", "`e` runs a program"),
        ("r /etc/shadow", "`r` reads another file"),
        ("R /etc/shadow", "`R` reads another file"),
        ("{p", "a `{` is not closed"),
        ("p}", "a `}` closes nothing"),
        ("a", "`a` has no text on its line"),
        ("a\\\nw f", "a backslash stands in a text that may go on in the next line"),
        ("a one \\\nw f", "a backslash stands in a text that may go on in the next line"),
        ("# one \\\nw f", "a backslash stands in a text that may go on in the next line"),
        ("s/[[:a]]/x/;...:]/b/w f/", "this is not understood: [:a]]/x/;...:]/b/w f…"),
        (r"s/[\]/]/x/", r"not every version sees the same end of /[\]/]/x/"),
        ("y/[/]/ab/", "not every version sees the same end of /[/]/ab/"),
        ("s/a", "this has no end: /a"),
        ("s/a\nb/c/", "this has no end: /a"),
        ("s/a/b\\\nc/", "a line ends in a backslash"),
        ("s/[/x/", "a `[` has no end: [/x/"),
        ("sababa", "this is not understood: ababa"),
        ("s a b c", "this is not understood: a b c"),
        ("s/a/b/ w f", "this is not understood: w f"),
        ("s/a/b/x", "this is not understood: x"),
        ("s\u20ac|a|b|", "`€` before `|` is read differently in other locales"),
        ("p p", "this is not understood: p"),
        ("1", "it ends too early"),
        ("1,p", "this is not understood: p"),
        ("+1p", "this is not understood: +1p"),
        (":a}", "this is not understood: }"),
        (":a#;w f", "this is not understood: #;w f"),
        ("t#a;w f", "this is not understood: #a;w f"),
        ("b #a;w f", "this is not understood: #a;w f"),
        ("ba#;w f", "this is not understood: #;w f"),
        ("1:a", "this is not understood: :a"),
        ("1#n", "this is not understood: #n"),
        ("v", "this is not understood: v"),
        ("p\rw f", "it holds the control character U+000D"),
        ("s/a/\x00/", "it holds the control character U+0000"),
    ],
)
def test_anything_else_is_objected_to(program: str, why: str) -> None:
    assert objection(program) == why


@pytest.mark.parametrize("mark", sorted(placeholders.STAND_INS))
@pytest.mark.parametrize("program", ["s/{}/b/", "# {}", "s/a/{}/", "{}"])
def test_a_value_is_never_a_part_of_a_program(program: str, mark: str) -> None:
    assert objection(program.format(mark)) == "a value stands in its text"


@given(st.text(st.sampled_from("s/|[]\\^:;{}\n#$!,1pwea .&x") | st.characters()))
def test_any_text_gets_an_answer(program: str) -> None:
    objection(program)


@pytest.mark.parametrize("piece", ["{", "s/[", "[:", "1", "\\", "/", ";", "#\n", "s/a/b/;", "!"])
def test_a_long_text_gets_an_answer(piece: str) -> None:
    objection(piece * 50_000)
