"""What counts for getting into a host, from `ssh_config`: as `ssh` says it, or as we read it without `ssh`.

`ssh` is asked wherever it is installed (`ssh -G`), since whatever reads its configuration a second time will
differ from it one day, and then leads to another machine. Only where it is missing does our own reading
count. Both give the same form, which is that of `ssh -G`, with `UserKnownHostsFile` as a list of files.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from breakglass.transport.ssh.ask_openssh import Answer, ask, openssh, unconfigured
from breakglass.transport.ssh.client_config import DEFAULT_PORT, Found, read
from breakglass.transport.ssh.config_file import ClientConfigError, lines_in_files
from breakglass.transport.ssh.config_keywords import HARMLESS, MATTERS
from breakglass.transport.ssh.tokens import Tokens, own_name

KNOWN_HOSTS_FILES = ("userknownhostsfile", "globalknownhostsfile")
DEFAULTS: Mapping[str, tuple[str, ...]] = {
    "port": (str(DEFAULT_PORT),),
    "addressfamily": ("any",),
    "connecttimeout": ("none",),
    "identitiesonly": ("no",),
    "hashknownhosts": ("no",),
    "stricthostkeychecking": ("ask",),
    "identityfile": ("~/.ssh/id_rsa", "~/.ssh/id_ecdsa", "~/.ssh/id_ed25519"),
    "userknownhostsfile": ("~/.ssh/known_hosts", "~/.ssh/known_hosts2"),
    "globalknownhostsfile": ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"),
}


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """values: in the form of `ssh -G`, by the keyword in lower case. configured: the keywords for which
    somebody has chosen something else than what `ssh` does by itself."""

    values: Mapping[str, tuple[str, ...]]
    configured: frozenset[str]

    def first(self, keyword: str) -> str | None:
        """The value of a keyword that has one; None where it has none, or `none`."""
        values = self.values.get(keyword, ())
        return values[0] if values and values[0] and values[0].lower() != "none" else None

    def all(self, keyword: str) -> tuple[str, ...]:
        """The values of a keyword that has several, without `none`."""
        return tuple(each for each in self.values.get(keyword, ()) if each.lower() != "none")


def settings_of(
    alias: str, file: Path | None, user: str | None = None, port: int | None = None
) -> ClientSettings:
    """What `ssh [-F FILE] [-l USER] [-p PORT] ALIAS` would use. Blocks. Raises ClientConfigError, also for an
    option that is not known here, and so could lead anywhere."""
    program = openssh()
    try:
        usual = unconfigured(program) if program is not None else None
    except ClientConfigError:
        usual = None  # another program of that name, or a very old one, which knows no -G
    if program is None or usual is None:
        return _as_read(alias, read(alias, file, user, port))
    if file is not None and lines_in_files(file) == (
        (),
    ):  # in it nothing is configured; most rehearsals have one
        given = {"host": (alias,), "hostname": (alias.lower(),)}
        given |= {"user": (user,)} if user is not None else {}
        given |= {"port": (str(port),)} if port is not None else {}
        return ClientSettings({**usual, **_usual_files(usual), **given}, frozenset())
    answer = ask(program, alias, file, user, port)
    configured = frozenset(
        keyword
        for keyword, values in answer.items()
        if keyword not in ("host", "hostname") and values != usual.get(keyword)
    )
    unknown = sorted(configured - MATTERS - HARMLESS)
    if unknown:
        raise ClientConfigError(
            f"{file or 'ssh_config'}: {alias}: the option {unknown[0]} is not known to breakglass, so "
            "where it leads cannot be told; take it away from this host, or give another `ssh_config`"
        )
    files = {keyword: _files(keyword, answer, alias, file, user, port) for keyword in KNOWN_HOSTS_FILES}
    return ClientSettings({**answer, **files}, configured)


def _as_read(alias: str, found: Found) -> ClientSettings:
    values = {keyword: tuple(value.text for value in values) for keyword, values in found.items()}
    tokens = tokens_of(alias, values)
    for keyword in KNOWN_HOSTS_FILES:
        names = values.get(keyword, DEFAULTS[keyword])
        values[keyword] = tuple(str(tokens.path(name, keyword)) for name in names)
    own = {} if "user" in values else {"user": (own_name(),)}
    return ClientSettings({**DEFAULTS, "hostname": (alias.lower(),), **own, **values}, frozenset(values))


def tokens_of(alias: str, values: Mapping[str, tuple[str, ...]]) -> Tokens:
    """What `%h` and the like mean for a host."""

    def first(keyword: str, default: str) -> str:
        return values.get(keyword, (default,))[0]

    return Tokens(
        host=first("hostname", alias.lower()),
        original=alias,
        port=first("port", str(DEFAULT_PORT)),
        user=first("user", "") or own_name(),
        known_as=first("hostkeyalias", ""),
    )


def _usual_files(usual: Answer) -> Mapping[str, tuple[str, ...]]:
    return {keyword: tuple(usual[keyword][0].split(" ")) for keyword in KNOWN_HOSTS_FILES}


def _files(
    keyword: str, answer: Answer, alias: str, file: Path | None, user: str | None, port: int | None
) -> tuple[str, ...]:
    """The files of a line. `ssh -G` puts blanks between them, and a file's name may have some as well: only
    then our own reading tells them apart."""
    line = answer.get(keyword, ("",))[0]
    words = tuple(line.split(" "))
    if all(word.startswith("/") for word in words) or len(words) == 1:
        return words
    host = answer.get("hostname", (alias,))[0]
    found = read(alias, file, user, port, canonical=host).get(keyword, ())
    tokens = tokens_of(alias, answer)
    read_so = tuple(str(tokens.path(each.text, keyword)) for each in found)
    if " ".join(read_so) != line:
        raise ClientConfigError(
            f"{file or 'ssh_config'}: {alias}: the files of {keyword} cannot be told "
            f"apart in what `ssh -G` prints: {line}"
        )
    return read_so
