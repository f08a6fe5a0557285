"""Shell text that is hard to read: written by a grammar of tricky constructs, thrown together from tokens, or
a known trap with a few edits."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

T = TypeVar("T")


class Choose(Protocol):
    """Picks one of the options. The first is the simplest."""

    def __call__(self, options: Sequence[T], /) -> T: ...


NAMES = ("ls", "rm", "ok", "no")
"""Programs that stand-ins take the place of; `no` fails."""

DEEPEST = 3

TRAPS = (
    "ls ${x:- # }; rm f",
    "ls #\\\nrm f",
    "ls }#; rm f",
    "case a in a) ls;; esac; rm f",
    "ls $'\\''; rm f #'",
    "cat <<E\nls 'a\nE\nrm f # '",
    "ls $(( a[`rm f`0] ))",
    "ls () { rm f; }; ls",
    "ls &> f rm",
    "ls >&-f",
    "time ls 2>&-rm",
    "time 2&>-",
    "[[ a < f ]] && rm f",
    "[[ a && rm ]]",
    "[[ $x -eq 0 ]]",
    "ls [[&& { rm; }; ls \"[[\" && { rm; }; ls '[['a && rm; ls \\[[ && rm; ls a[[ && rm; ls [[a && rm",
    'ls "[[" && { rm; }',
    "ls '[[' && { rm; }",
    "ls \\[[ && { rm; }",
    "ls \\[\\[ && { rm; }",
    "ls [[a && { rm; }",
    "ls a[[ && { rm; }",
    "ls ''[[ && { rm; }",
    "[[ -f [[ && -f rm ]]",
    "for x in [[ && rm; do ls; done",
    "ls 12>f",
    "{rm,f}",
    "ls {a,b}{,c} {1..3} {}{}",
    "time -p rm f",
    "time ! rm f",
    "! rm f | ls",
    "x=rm; $x f",
    "x=(rm f); ls",
    "x+=rm ls",
    "ls $(case a in (a) rm f;; esac)",
    "ls $(ls # )\nrm f\n)",
    'ls "`rm f`" "$(rm "$(ls f)")" "a\\"b"',
    "ls `ls \\`rm f\\``",
    "ls <(rm f) >(rm g)",
    "for i in rm ls; do $i f; done > g",
    "for i do rm f; done",
    'ls >&"$x" >& $x; ls <&$x &>"$x"',
    "while read l; do rm $l; done < f",
    "until rm f; do ls; done",
    "if ls; then rm f; elif no; then ok; else ls; fi 2>g",
    "(rm f; ls) >g & ls",
    "{ rm f; ls; } 2>&1 | ok",
    "ls a\\\n b; r\\\nm f",
    'ls "a\\\nb"; rm "f',
    "ls ~ ~/f ~x/f =ls",
    'ls -* *f [a-z] f[ab] [!a]* a"*"?',
    "ls <1-5>f >!g <<<rm >&g >|f <>g 2>&- <&-",
    "ls;;rm f",
    "ls |& rm f",
    "ls &| rm f",
    "ls &! rm f",
    "rm f;# ls",
    'ls "$(rm f)$x${x}${#x}$?$#$$$@$*"',
    "ls $x[1] $x:t $#x $1x",
    "echo $((1+(2*3))) $(( 1 )) $((ls)) $((rm f) )",
    "((1)); ( (rm f) )",
    "select x in a; do rm f; done",
    "function ls { rm f; }",
    "coproc rm f",
    "repeat 2 rm f",
    "if (ls) { rm f }",
    "for x (a b) rm f",
    "ls { rm f }",
    "alias ls=rm\nls f",
    "case x in x|y) rm f;& z) ls;;& *) ok; esac",
    "ls !(f) @(a|b) ?(f)",
    'ls $"rm" "$\'rm\'"',
    "{x}>f ls; ls {x}>g",
    "ls 2>f>g 1<f<>g",
    '`ls` f; $(ls) f; "$x" f',
    "ls\tf\\ g\\;rm",
    "in f; do ls",
    "ls | time rm f",
    "! ! ls",
    "x=1 y=$(rm f) ls x=2 >f z=3",
    "[ -f f ] && test a = b || rm f",
    "[[ -f f ]] && [[ ! a == b* ]] && [[ $x =~ ^[a-z]+$ ]]",
    "echo 'a'\"b\"\\c$x`ls`$(rm)#d",
)

TOKENS = (
    *(" ", "\n", ";", "ls", "rm", "f", "x", "#", "'", '"', "`", "$", "\\", "|", "&", "(", ")", "<", ">"),
    *("{", "}", "[", "]", "*", "?", "~", "!", "=", "-", "^", ":", ",", "%", "@", "+", "\t"),
    *("$(", "$((", "))", "${", "$x", "${x}", "$'", '$"', "$@", "\\\n", "&&", "||", ";;", ";&", "|&", "&|"),
    *("<<", "<<<", "<(", ">(", ">>", ">|", "<>", ">&", "<&", "&>", "2>", "2>&1", "3<", "12>", "[[", "]]"),
    *("((", "x=", "x+=", "x[1]=", "x=(", "{a,b}", "{1..2}", "{}", "..", "()", "1", "2", "-f", "-p", "/"),
    *(" if ", " then ", " elif ", " else ", " fi ", " for ", " in ", " do ", " done ", " while ", " until "),
    *(" case ", " esac ", " function ", " select ", " coproc ", " time ", " ! ", " { ", "; }", " end "),
    *(" repeat ", " foreach ", " always ", " -eq ", " =~ ", " == ", "E\n", "a)", "ok", "no", "[a-z]"),
)


def shell_text(choose: Choose) -> str:
    """A text of any of the three kinds."""
    return choose((_list, _list, _list, _edited, _edited, _soup))(choose)


def _some(choose: Choose, one: Callable[[Choose], str], most: int) -> list[str]:
    return [one(choose) for _ in range(choose(range(1, most + 1)))]


def _soup(choose: Choose) -> str:
    return "".join(_some(choose, lambda choose: choose(TOKENS), 14))


def _edited(choose: Choose) -> str:
    text = choose(TRAPS) if choose((True, False)) else _list(choose)
    for _ in range(choose((0, 0, 1, 2, 4))):
        at = choose(range(len(text) + 1))
        match choose(("insert", "delete", "repeat", "swap")):
            case "insert":
                text = text[:at] + choose(TOKENS) + text[at:]
            case "delete":
                text = text[:at] + text[at + choose(range(1, 4)) :]
            case "repeat":
                end = at + choose(range(1, 8))
                text = text[:end] + choose(("", " ", "\n", ";")) + text[at:end] + text[end:]
            case _:
                text = text[:at] + text[at + 1 : at + 2] + text[at : at + 1] + text[at + 2 :]
    return text


def _list(choose: Choose, depth: int = 0) -> str:
    parts: list[str] = []
    for _ in range(choose((1, 1, 2, 3))):
        parts.append(_command(choose, depth))
        parts.append(choose(_JOINS + ((" #c\n", " |\n", " \\\n") if not depth else ())))
    return "".join([*parts[:-1], choose(("", "", ";", "\n", "" if depth else " # rm f"))])


_JOINS = ("; ", "\n", " && ", " || ", " | ", " & ", ";", "|", "&", "&&")


def _closed(choose: Choose, depth: int) -> str:
    return _list(choose, depth) + choose(("; ", "\n", ";", "; " if depth > 1 else "\n#c\n"))


def _command(choose: Choose, depth: int) -> str:
    if depth < DEEPEST and choose((False, False, False, True)):
        return choose(_COMPOUND)(choose, depth + 1) + choose(("", "", " >f", " 2>&1", " <f", ">>g", " &>f"))
    return choose(("", "", "", "", "", "", "! ", "time ")) + _simple(choose, depth)


def _simple(choose: Choose, depth: int) -> str:
    parts = (
        [choose(("x", "y", "PS4")) + "=" + choose(("", _piece(choose, depth)))]
        if choose((0, 0, 0, 1))
        else []
    )
    parts.append(
        choose((*NAMES, *NAMES, "echo", "[[", "[", ":", "true", "false", "printf", "$x", '"$y"', "\\rm"))
    )
    condition = parts[-1] in ("[[", "[")
    for _ in range(choose(range(5))):
        parts.append(
            choose((_word, _word, _redirection))(choose, depth) if not condition else _operand(choose, depth)
        )
    if condition:
        parts.append("]" * len(parts[-1]) if choose((True, False)) else parts[0].replace("[", "]"))
    return choose((" ", " ", "  ", "\t", " \\\n")).join(parts)


def _operand(choose: Choose, depth: int) -> str:
    return choose(
        ("-f", "-z", "-eq", "=", "!=", "==", "=~", "!", "1", "$x", "-nt", "a*", _word(choose, depth))
    )


def _word(choose: Choose, depth: int) -> str:
    return "".join(_piece(choose, depth) for _ in range(choose((1, 1, 1, 2, 3))))


_KNOWN = (
    *(
        "f",
        "g",
        "-f",
        "a",
        "1",
        "rm",
        "d/f",
        "x=1",
        "é",
        "b#c",
        "~",
        "~/f",
        "!",
        ":",
        "%",
        "--",
        "if",
        "do",
        "in",
    ),
    *(
        "$x",
        "$y",
        "$z",
        "${x}",
        "${#x}",
        "${x:-a}",
        "${z:-a*}",
        "${x%f}",
        "${x##*/}",
        "$?",
        "$#",
        "$@",
        "$*",
        "$1",
    ),
    *("*", "?", "[a-z]*", "f*", "-*", "[[", "]]", "\\ ", "\\'", '\\"', "\\$x", "\\\\", "\\`", "\\#", "\\*"),
    *(
        "''",
        '""',
        "'a b'",
        "'$x'",
        "'`rm`'",
        "'\"'",
        "'#'",
        "'\\'",
        "'\n'",
        "'*'",
        "{}",
        "{a,b}",
        "{1..3}",
        "{{.A}}",
    ),
    *("$((1))", "$((1+(2*3)))", "$((1<2))", "esac"),
)
_ODD = (
    *(
        "{",
        "}",
        "{,a}",
        "{a..c}",
        "{x}",
        "{a,{b,c}}",
        "{-f,*}",
        "{a,b",
        "[",
        "]",
        "#",
        "=",
        "=f",
        "^",
        "-",
        "12",
    ),
    *(
        "${x:-$y}",
        "${x/a/b}",
        "${!x}",
        "${x:1}",
        "${x@P}",
        "${x[0]}",
        "${x:-'a b'}",
        "${x:=a}",
        "$10",
        "$-",
        "$_",
    ),
    *(
        "$",
        "$'a'",
        '$"a"',
        "$[1]",
        "$((x))",
        "$(( $x ))",
        "$(())",
        "$((1))x",
        "~x",
        "!(a)",
        "*(f)",
        "$x[1]",
        "$x:t",
    ),
)
_QUOTED = (
    "a",
    " ",
    "$x",
    "${x}",
    "'",
    "#",
    ";",
    "*",
    "{a,b}",
    '\\"',
    "\\$",
    "\\\\",
    "\\a",
    "\\`",
    "$",
    "$@",
    "`ls`",
    "é",
)


def _piece(choose: Choose, depth: int) -> str:
    kind = choose(("plain", "plain", "plain", "quoted", "substitution"))
    if kind == "plain":
        return choose(choose((*[_KNOWN] * 15, _ODD)))
    if kind == "quoted":
        inner = [choose(_QUOTED) for _ in range(choose(range(4)))]
        if depth < DEEPEST and choose((False, True)):
            inner.append(_substitution(choose, depth))
        return '"' + "".join(inner) + '"'
    return _substitution(choose, depth) if depth < DEEPEST else "f"


def _substitution(choose: Choose, depth: int) -> str:
    inner = _list(choose, depth + 1)
    form = choose(("$(%s)", "$(%s)", "$(%s)", "$( %s)", "`%s`", "`%s`", choose(_SELDOM)))
    return form % (inner.replace("`", "").replace("\\", "") if form == "`%s`" else inner)


_SELDOM = ("$(%s)", "$(%s)", "$(%s)", "`%s`", "$(((%s)))", "$((%s) )", "<(%s)")


def _redirection(choose: Choose, depth: int) -> str:
    operator = choose(
        (">", "<", ">>", "2>", "<<<", ">&", "&>", ">|", "<>", "2>&", "&>>", "<&", "<<", "1>", "12<")
    )
    if choose((True, True, True, True, False)):
        return choose((">f", "<f", ">>g", "2>/dev/null", "2>&1", "<<<$x", "&>new", ">|new", "3<f", "1>~/h"))
    target = choose(
        ("f", "/dev/null", "g", "1", "2", "-", "$y", "~/h", "!", "new", "'a b'", _word(choose, depth))
    )
    return operator + choose(("", " ")) + target


def _group(choose: Choose, depth: int) -> str:
    return choose(("{ ", "{", "{\n")) + _closed(choose, depth) + "}"


def _subshell(choose: Choose, depth: int) -> str:
    return choose(("(", "( ")) + _list(choose, depth) + ")"


def _if(choose: Choose, depth: int) -> str:
    text = "if " + _closed(choose, depth) + "then " + _closed(choose, depth)
    if choose((False, True)):
        text += "elif " + _closed(choose, depth) + "then " + _closed(choose, depth)
    if choose((False, True)):
        text += "else " + _closed(choose, depth)
    return text + "fi"


def _for(choose: Choose, depth: int) -> str:
    words = " ".join(_word(choose, depth) for _ in range(choose(range(3))))
    head = choose(
        (f"for x in {words}; do ", f"for x in {words}\ndo ", "for x do ", "for x; do ", "for x\ndo ")
    )
    return head + _closed(choose, depth) + "done"


def _while(choose: Choose, depth: int) -> str:
    condition = choose(("read x", "no", "! ls", "until false; do ls", _list(choose, depth)))
    return choose(("while ", "until ")) + condition + "; do " + _closed(choose, depth) + "done"


def _case(choose: Choose, depth: int) -> str:
    arms = ""
    for _ in range(choose(range(1, 3))):
        pattern = choose(
            (
                "a",
                "*",
                "(a",
                "a|b",
                "( a | b ",
                "[a-z]*",
                "'a b'",
                "$x",
                "in",
                "if",
                "#",
                _word(choose, depth),
            )
        )
        arms += (
            pattern + ")" + choose((" ", "", "\n")) + _list(choose, depth) + choose((";;", " ;;\n", ";&", ""))
        )
    return "case " + _word(choose, depth) + choose((" in ", " in\n")) + arms + " esac"


def _braced(choose: Choose, depth: int) -> str:
    """Forms of zsh, which are other commands in the other shells."""
    inner = _closed(choose, depth)
    return (
        choose(("if true; { %s}", "while no; { %s}", "{ %s} always { ls; }", "repeat 2 { %s}", "() { %s}"))
        % inner
    )


_COMPOUND = (_group, _subshell, _if, _for, _while, _case, _braced)
