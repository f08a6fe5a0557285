"""A command as sshd gets it: one string that the user's login shell reads, whichever that is.

sshd runs the login shell as `SHELL -c STRING` (sshd(8), "LOGIN PROCESS"). sh, dash, bash, zsh, fish, csh,
tcsh and busybox's ash agree on little: fish reads a backslash within single quotes, csh a `!` and a line
break, and zsh a `=` that begins a word. So the string is written in what all of them read alike: plain words
as they are, and printable ASCII without `'`, `\\` and `!` between single quotes. Where a word holds anything
else, `sh` puts the words together from octal numbers on the far side and runs them as they are; no shell ever
reads them.
"""

import re
from collections.abc import Sequence

LONGEST = 131_071
"""Bytes of the string. The login shell gets it as one argument, and Linux takes no longer one (execve(2))."""

UNPACK = (
    'for breakglass do breakglass=$(printf %b. "$breakglass"); set -- "$@" "${breakglass%.}"; shift; done; '
    'exec "$@"'
)
"""Undoes `_octal` for each argument, and runs them. The full stop keeps the line breaks at the end of a word,
which `$( )` would drop."""

_PLAIN = re.compile(r"[A-Za-z0-9_./:,@+-][A-Za-z0-9_./:,@+=%-]*")
_PLAIN_PROGRAM = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./:,@+-]*")
_UNREADABLE = re.compile(r"[^ -~]|['\\!]")
_OCTAL = re.compile(r"(?:\\0[0-7]{3})+")

OF_A_LOGIN_SHELL = frozenset(
    (
        # Words of a grammar.
        *("begin", "case", "coproc", "do", "done", "elif", "else", "end", "endif", "endsw", "esac"),
        *("fi", "for", "foreach", "function", "goto", "if", "in", "nocorrect", "noglob", "repeat"),
        *("select", "switch", "then", "time", "until", "while"),
        # Of csh and tcsh, where `nice` and `nohup` take other arguments than the programs of these names.
        *("alloc", "bg", "breaksw", "chdir", "default", "dirs", "echo", "echotc", "filetest", "glob"),
        *("hashstat", "hup", "kill", "limit", "log", "login", "logout", "newgrp", "nice", "nohup"),
        *("notify", "onintr", "printenv", "rehash", "sched", "setenv", "settc", "setty", "stop"),
        *("suspend", "telltc", "unalias", "uncomplete", "unhash", "unlimit", "unsetenv", "watchlog"),
        *("where", "which"),
        # Of fish.
        *("abbr", "and", "argparse", "bind", "block", "breakpoint", "builtin", "commandline"),
        *("complete", "contains", "count", "disown", "emit", "functions", "history", "math", "not"),
        *("or", "path", "random", "realpath", "set", "set_color", "status", "string", "test", "["),
        # Of zsh and bash.
        *("autoload", "bye", "compgen", "compopt", "disable", "emulate", "enable", "fc", "float"),
        *("getln", "help", "integer", "mapfile", "print", "printf", "pushd", "popd", "pushln", "r"),
        *("readarray", "shopt", "ttyctl", "vared", "whence", "zle", "zmodload"),
    )
)
"""Programs that some login shell takes for a word of its own: `sh` is told to run these as programs."""


def wire_of(argv: Sequence[str]) -> str:
    """The string for sshd. Raises UnicodeEncodeError for half a UTF-16 pair, which is not text."""
    program, *rest = argv
    plain = _PLAIN_PROGRAM.fullmatch(program) is not None and program not in OF_A_LOGIN_SHELL
    if plain and not any(_UNREADABLE.search(word) for word in rest):
        return " ".join([program, *map(_quoted, rest)])
    return " ".join(["sh", "-c", f"'{UNPACK}'", "sh", *(_quoted(_octal(word)) for word in argv)])


def argv_of(wire: Sequence[str]) -> tuple[str, ...]:
    """The words that `wire_of` was given, from those that a shell makes of its string."""
    if tuple(wire[:3]) != ("sh", "-c", UNPACK):
        return tuple(wire)
    return tuple(_OCTAL.sub(_text, word) for word in wire[4:])


def _quoted(word: str) -> str:
    return word if _PLAIN.fullmatch(word) else f"'{word}'"


def _octal(word: str) -> str:
    """The word with every byte that a shell may not see as `\\0` and three octal digits, for `printf %b`."""
    return _UNREADABLE.sub(lambda found: "".join(f"\\0{byte:03o}" for byte in found[0].encode()), word)


def _text(found: re.Match[str]) -> str:
    return bytes(int(number, 8) for number in found[0].split("\\0")[1:]).decode()
