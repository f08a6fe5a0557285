"""The targets of redirections: which are read alike by all shells, and which are written to."""

import re

from breakglass.policy.placeholders import literal_start
from breakglass.policy.shell_words import ShellSyntaxError, ShellWord, texts

OPERATOR = re.compile(r"[0-9]?(<<<|<<|<&|<>|<|>>|>\||>&|>)|(&>>|&>)")
_DESCRIPTOR = re.compile(r"[0-9]|-")
_DESCRIPTOR_OR_FILE = re.compile(r"-|[A-Za-z0-9_./][A-Za-z0-9_./-]*")
"""bash takes `>&-` for a whole redirection, and what follows it for another word."""
_HARMLESS = frozenset(("/dev/null", "/dev/stdout", "/dev/stderr"))
_NETWORK = ("/dev/tcp/", "/dev/udp/")
"""bash opens a connection for a path that begins so."""


def refuse_unknown_target(operator: str, target: ShellWord, following: str) -> None:
    """Refuse, with ShellSyntaxError, what shells read differently. `following` is the next character."""
    message = ""
    if following in ("<", ">") or target.bare.startswith("!"):
        message = "this target of a redirection is read differently by zsh"
    elif operator == ">&" and not _DESCRIPTOR_OR_FILE.fullmatch(target.bare):
        # bash expands the target twice, so that `>&"$x"` would run a command in the value of x.
        message = "only a number, - or a plain name may follow >&; write &>"
    elif operator == "<&" and not _DESCRIPTOR.fullmatch(target.bare):
        message = "only a number or - may follow <&"
    if message:
        raise ShellSyntaxError(message, target.offset)


def written(operator: str, target: ShellWord) -> tuple[str, ...]:
    """The file that the redirection may write to, or the connection that it may open; or none."""
    text = texts(target)[0]
    if operator in ("<<<", "<&") or (operator == ">&" and _DESCRIPTOR.fullmatch(target.bare)):
        return ()
    if operator == "<":
        return (text,) if _may_be_network(text) else ()
    return () if text in _HARMLESS else (text,)


def _may_be_network(text: str) -> bool:
    start = literal_start(text)
    return any(start.startswith(name) or (start != text and name.startswith(start)) for name in _NETWORK)
