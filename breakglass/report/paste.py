"""A command as one pastes it into a shell: quoted, on its host or with curl, and saying where it belongs.

What the record does not hold, such as a jump host or the body of standard input, is said and not made up.
"""

import re
import shlex
from collections.abc import Iterator
from urllib.parse import urlsplit

from breakglass.journal import events as e
from breakglass.transport.sanitize import visible, visible_line

_HEADER = re.compile(r"[A-Za-z0-9-]+: ")
_HOST = re.compile(r"(?:(?P<user>[^@\s]+)@)?\S+ \((?P<address>[^()]+)\)")
_PINNED = re.compile(r"\(pinned to (?P<address>[^()]+)\)")


def pasted(prepared: e.ActionPrepared, *, stdin: bool = False) -> str:
    """The lines. `stdin`: the step feeds its command a text that the record does not hold."""
    lines = [f"# on {visible_line(prepared.where)}"]
    if stdin:
        lines.append("# its standard input is in the runbook, and not here")
    return visible("\n".join([*lines, _command(prepared)]))


def _command(prepared: e.ActionPrepared) -> str:
    match prepared.kind:
        case "kubectl":
            return _kubectl(prepared.command)
        case "ssh":
            return f"{_to_host(prepared.where)} {shlex.quote(prepared.command)}"
        case "http":
            return shlex.join(_curl(prepared.command, prepared.where))
        case "probe":
            return f"# {visible_line(prepared.command)} is a check of breakglass, and no command"
        case _:
            return prepared.command


def _kubectl(command: str) -> str:
    """A manifest stands below the command that applies it; in a shell it is a document of its own."""
    first, separator, manifest = command.partition("\n")
    if not separator or not first.endswith(" -f -"):
        return command
    end = "END"
    while end in manifest.split("\n"):
        end += "_"
    return f"{first} <<'{end}'\n{manifest}\n{end}"


def _to_host(where: str) -> str:
    """`ssh` with the address and the port that were used, which need no name to be found."""
    found = _HOST.fullmatch(where)
    if found is None:
        return f"ssh {shlex.quote(where)}"
    address, separator, port = found["address"].rpartition(":")
    # An IPv6 address has colons of its own and, without brackets, no port.
    if not separator or not port.isdecimal() or (":" in address and not address.startswith("[")):
        address, port = found["address"], ""
    user = f"{found['user']}@" if found["user"] else ""
    return shlex.join(["ssh", *(["-p", port] if port else []), user + address.strip("[]")])


def _curl(command: str, where: str) -> Iterator[str]:
    first, *rest = command.split("\n")
    method, _, url = first.partition(" ")
    yield from ("curl", "-sS", "-i")
    if method == "HEAD":
        yield "--head"
    elif method != "GET":
        yield from ("-X", method)
    if "TLS NOT VERIFIED" in where:
        yield "--insecure"
    pinned, parts = _PINNED.search(where), urlsplit(url)
    if pinned is not None and parts.hostname:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        yield from ("--resolve", f"{parts.hostname}:{port}:{pinned['address']}")
    while rest and _HEADER.match(rest[0]):
        yield from ("-H", rest.pop(0))
    if rest:
        yield from ("--data-raw", "\n".join(rest))
    yield url
