"""A first site file, written from what is on this machine: kubeconfigs and `ssh_config`.

What cannot be known from there (endpoints, secrets, variables) is put in as comments, one for each name that
a runbook uses, ready to be filled in. What is written always loads.
"""

import glob
import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from shutil import which
from typing import cast

from breakglass.runbook.model import Uses
from breakglass.values import Json
from breakglass.yamlio.position import InvalidFileError, Problem
from breakglass.yamlio.shape import plain
from breakglass.yamlio.source import compose
from breakglass.yamlio.text_file import read_text

DEEPEST_INCLUDE = 16
"""As OpenSSH has it, ssh_config(5)."""

_HOST_LINE = re.compile(r"\s*(host|include)(?:\s*=\s*|\s+)(.*?)\s*$", re.IGNORECASE)
_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./@-]*|~/[A-Za-z0-9_./@-]*")
_ADDRESS = re.compile(r"[A-Za-z0-9_:][A-Za-z0-9_.:%-]*")
_WORDS = frozenset({"true", "false", "null"})


@dataclass(frozen=True, slots=True)
class Context:
    """A context of a kubeconfig. broken: why it cannot be used, if so."""

    name: str
    server: str = ""
    broken: str = ""


@dataclass(frozen=True, slots=True)
class Contexts:
    """What kubeconfigs say. file: the one that they are in; None where there are several, or none."""

    file: Path | None = None
    current: str = ""
    contexts: tuple[Context, ...] = ()
    unreadable: tuple[str, ...] = ()
    """Files that cannot be used, each with the reason."""


@dataclass(frozen=True, slots=True)
class SshConfigHost:
    """A host of `ssh_config`. words: what `ssh` would make of it, for people."""

    alias: str
    words: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """All that goes into a site file.

    ssh_config: where the machines are from, unless it is `~/.ssh/config`. needs: what runbooks use, by the
    runbook's name.
    """

    name: str
    production: bool = True
    contexts: Contexts = Contexts()
    machines: tuple[SshConfigHost, ...] = ()
    ssh_config: Path | None = None
    needs: Mapping[str, Uses] = field(default_factory=dict[str, Uses])


def contexts_in(files: Sequence[Path]) -> Contexts:
    """The contexts of kubeconfigs, merged as kubectl merges them: the first file to name a thing wins."""
    read: list[dict[str, Json]] = []
    unreadable: list[str] = []
    there: list[Path] = []
    for file in files:
        try:
            read.append(_kubeconfig(file))
            there.append(file)
        except InvalidFileError as error:
            reasons = "; ".join(problem.message for problem in error.problems)
            unreadable.append(f"{file}: {reasons}")
    current = next(
        (name for each in read if isinstance(name := each.get("current-context"), str) and name), ""
    )
    clusters, users = _named(read, "clusters", "cluster"), _named(read, "users", "user")
    found = [
        _context(name, context, clusters, users)
        for name, context in _named(read, "contexts", "context").items()
    ]
    found.sort(key=lambda context: context.name != current)
    return Contexts(there[0] if len(there) == 1 else None, current, tuple(found), tuple(unreadable))


def _kubeconfig(file: Path) -> dict[str, Json]:
    problems: list[Problem] = []
    tree = compose(read_text(file), file, problems)
    value = plain(tree) if tree is not None else None
    if isinstance(value, dict):
        return value
    raise InvalidFileError(problems or [Problem(tree.position, "not a kubeconfig")] if tree else problems)


def _named(read: Sequence[dict[str, Json]], section: str, part: str) -> dict[str, dict[str, Json]]:
    found: dict[str, dict[str, Json]] = {}
    for each in read:
        entries = each.get(section)
        for entry in entries if isinstance(entries, list) else []:
            if isinstance(entry, dict) and isinstance(name := entry.get("name"), str):
                inner = entry.get(part)
                found.setdefault(name, inner if isinstance(inner, dict) else {})
    return found


def _context(
    name: str,
    context: Mapping[str, Json],
    clusters: Mapping[str, Mapping[str, Json]],
    users: Mapping[str, object],
) -> Context:
    cluster, user = context.get("cluster"), context.get("user")
    if cluster not in clusters:
        return Context(name, broken=f"names the cluster {cluster!r}, which is not described")
    server = clusters[cast(str, cluster)].get("server")
    if not isinstance(server, str) or not server:
        return Context(name, broken=f"names the cluster {cluster!r}, which has no server")
    if user and user not in users:
        return Context(name, server, f"names the user {user!r}, who is not described")
    return Context(name, server)


def aliases_in(file: Path) -> tuple[str, ...]:
    """The names that `ssh_config` has a `Host` line for, patterns left out, includes followed.

    A file that cannot be read has none.
    """
    return tuple(dict.fromkeys(_aliases(file, file.parent, 0)))


def _aliases(file: Path, folder: Path, depth: int) -> Iterator[str]:
    try:
        text = read_text(file)
    except InvalidFileError:
        return
    for line in text.splitlines():
        match = _HOST_LINE.match(line)
        if match is None:
            continue
        try:
            words = shlex.split(match[2], comments=True)
        except ValueError:
            continue
        if match[1].lower() == "host":
            yield from (word for word in words if not re.search(r"[*?!]", word))
        elif depth < DEEPEST_INCLUDE:
            for word in words:
                path = folder / Path(word).expanduser()
                for found in sorted(glob.glob(str(path))):  # noqa: PTH207  (the pattern may be absolute)
                    yield from _aliases(Path(found), folder, depth + 1)


def site_text(draft: Draft) -> str:
    """The text of a site file. It loads without a warning."""
    parts = [
        [
            "# A site says where things are and how to get in. Runbooks only name them.",
            "# Give IP addresses wherever you can: names fail just when this file is needed.",
            "# Check it before that: breakglass lint FILE",
            "# A whole one is beside the runbooks that ship: example-site.yaml",
            "",
            f"site: {_scalar(_name(draft.name, 'site'))}",
            f"production: {'true' if draft.production else 'false'}",
        ],
        _clusters(draft),
        _hosts(draft),
        _endpoints(draft),
        _secrets(draft),
        _variables(draft),
        _local(draft),
    ]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _clusters(draft: Draft) -> list[str]:
    lines = ["# Kubernetes APIs. Runbooks that need one cluster call it `main`."]
    lines += [f"# {_comment(why)}" for why in draft.contexts.unreadable]
    usable: list[Context] = []
    for each in draft.contexts.contexts:
        writable = each.name.isprintable() and each.name.strip()
        why = each.broken or ("" if writable else "has a name that cannot be written")
        if why:
            lines.append(f"# context {_comment(each.name)} cannot be used: it {_comment(why)}")
        else:
            usable.append(each)
    taken: set[str] = set()
    body: list[str] = []
    for index, each in enumerate(usable):
        name = _free("main" if index == 0 else _name(each.name, "cluster"), taken)
        body.append(f"  {_scalar(name)}:")
        if draft.contexts.file is not None and str(draft.contexts.file).isprintable():
            body.append(f"    kubeconfig: {_scalar(_at_home(draft.contexts.file))}")
        body.append(f"    context: {_scalar(each.name)}")
        body.append(f"    # server: {_comment(each.server)}  # to give an IP address in place of a name")
    return [*lines, *_section("clusters", body, [], "  main: {context: admin@home-lab}")]


def _hosts(draft: Draft) -> list[str]:
    lines = ["# Machines reached by SSH. What is left out comes from ~/.ssh/config, as `ssh` would read it."]
    taken: set[str] = set()
    body: list[str] = []
    for each in draft.machines:
        if not _ADDRESS.fullmatch(each.alias):
            lines.append(f"# {_comment(each.alias)}: not a name that a site can have")
            continue
        address = f"address: {_scalar(each.alias)}"
        if draft.ssh_config is not None:
            address += f", ssh_config: {_scalar(_at_home(draft.ssh_config))}"
        words = f"  # {_comment(each.words)}" if each.words else ""
        name = _scalar(_free(_name(each.alias, "host"), taken))
        body.append(f"  {name}: {{{address}}}{words}")
    missing = [
        f"  {name}: {{address: 192.0.2.10, user: root}}  # for {_listed(by)}"
        for name, by in _wanted(draft, "hosts")
        if name not in taken
    ]
    return [*lines, *_section("hosts", body, missing, "  node1: {address: 192.0.2.10, user: root}")]


def _endpoints(draft: Draft) -> list[str]:
    stubs = [
        f'  {name}: {{url: "https://{name}.example", resolve: 192.0.2.20}}  # for {_listed(by)}'
        for name, by in _wanted(draft, "endpoints")
    ]
    return [
        "# HTTP services. `resolve` pins the address; a login is `bearer: SECRET`, or",
        "# `basic: {user: NAME, password: SECRET}`; `ca` is a file of certificates to trust.",
        *_section("endpoints", [], stubs, '  app: {url: "https://app.example", resolve: 192.0.2.20}'),
    ]


def _secrets(draft: Draft) -> list[str]:
    stubs = [
        f"  {name}: {{env: {name.upper()}}}  # for {_listed(by)}" for name, by in _wanted(draft, "secrets")
    ]
    return [
        "# Where a secret is found when it is needed, never the secret itself. Other ways: {file: PATH},",
        "# {command: [pass, show, NAME]}, {keyring: {service: NAME, account: NAME}}, {prompt: WORDS},",
        "# {kubernetes: {cluster: main, namespace: NAME, name: NAME, key: NAME}}",
        *_section("secrets", [], stubs, "  token: {env: TOKEN}"),
    ]


def _variables(draft: Draft) -> list[str]:
    stubs = [f"  {name}: []  # for {_listed(by)}" for name, by in _wanted(draft, "variables")]
    return [
        "# What runbooks read as `site.variables`. The runbook and its scenarios show what each must hold.",
        *_section("variables", [], stubs, "  nodes: []"),
    ]


def _local(draft: Draft) -> list[str]:
    stubs = [
        f"    {name}: {which(name) or f'/usr/bin/{name}'}  # for {_listed(by)}"
        for name, by in _wanted(draft, "programs")
    ]
    return [
        "# Programs of this machine that runbooks may run; nothing else runs here. `environment` names the",
        "# variables that they get.",
        "# local:",
        "#   environment: [HOME]",
        "#   programs:",
        *(f"# {line}" for line in stubs or ["    vault: /usr/bin/vault"]),
    ]


def _section(name: str, body: Sequence[str], stubs: Sequence[str], example: str) -> list[str]:
    """A section of the file. Without a body it is a comment as a whole, since an empty one would not load."""
    if body:
        return [f"{name}:", *body, *(f"#{line}" for line in stubs)]
    return [f"# {name}:", *(f"# {line}" for line in stubs or [example])]


def _wanted(draft: Draft, kind: str) -> list[tuple[str, list[str]]]:
    """The names of one kind that runbooks use, each with the runbooks."""
    wanted: dict[str, list[str]] = {}
    for runbook, uses in draft.needs.items():
        for name in cast("tuple[str, ...]", getattr(uses, kind)):
            wanted.setdefault(name, []).append(runbook)
    return sorted(wanted.items())


def _listed(names: Sequence[str]) -> str:
    return _comment(", ".join(names))


def _name(text: str, otherwise: str) -> str:
    """A name that a site can have, made from another."""
    made = re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-._")
    return made or otherwise


def _free(name: str, taken: set[str]) -> str:
    """The name, with a number where it is taken; it is taken from now on."""
    free, number = name, 2
    while free in taken:
        free, number = f"{name}-{number}", number + 1
    taken.add(free)
    return free


def _at_home(path: Path) -> str:
    try:
        return f"~/{path.relative_to(Path.home())}"
    except (ValueError, RuntimeError):
        return str(path)


def _scalar(text: str) -> str:
    """Text as a YAML value that is read back the same. It must be printable."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return json.dumps(text, ensure_ascii=False)


def _comment(text: str) -> str:
    """Text that can stand in a comment, on one line."""
    return "".join(character if character.isprintable() else "?" for character in text)
