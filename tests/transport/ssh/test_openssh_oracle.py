"""Generated configurations: what our own reading makes of them is what `ssh -G` prints."""

import os
import random
import shlex
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from breakglass.site.model import Host, Site
from breakglass.transport.ssh.ask_openssh import ask, openssh
from breakglass.transport.ssh.client_config import Found, read
from breakglass.transport.ssh.config_file import ClientConfigError
from breakglass.transport.ssh.route import route_to
from breakglass.transport.ssh.settings import KNOWN_HOSTS_FILES, tokens_of
from tests.support.openssh import USER

SHORT, LONG = 1_000, 5_000
COMPARED = (
    *("hostname", "port", "user", "identityfile", "certificatefile", "userknownhostsfile", "hostkeyalias"),
    *("proxyjump", "proxycommand", "identitiesonly", "addressfamily", "connecttimeout", "identityagent"),
    *("stricthostkeychecking", "hashknownhosts", "bindaddress", "ciphers", "kexalgorithms"),
    *("hostkeyalgorithms", "pubkeyacceptedalgorithms", "globalknownhostsfile", "preferredauthentications"),
)
ALIASES = ("web1", "web2", "DB", "db.lab", "10.0.0.1", "gate.lab.example", "fe80::1")
PATTERNS = (*ALIASES, "web*", "web?", "*.lab", "!web2", "!*.example", "*", "10.0.*", "db", "!DB", "gate*")
USERS = ("ops", "root", "me", USER)


class Writer:
    """Writes one configuration: a file and its includes in a folder."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.chance = random.Random(seed)
        self.number = 0

    def pick(self, *choices: str) -> str:
        return self.chance.choice(choices)

    def line(self, keyword: str, value: str) -> str:
        """A line in one of the ways in which it may be written."""
        name = self.chance.choice((keyword, keyword, keyword.lower(), keyword.upper()))
        between = self.chance.choice((" ", " ", " ", "  ", "=", " = ", "\t"))
        after = self.chance.choice(("", "", "", " ", "\r")) if keyword != "ProxyCommand" else ""
        return f"{self.chance.choice(('', '  ', chr(9)))}{name}{between}{value}{after}"

    def quoted(self, value: str) -> str:
        kind = self.chance.randrange(5)
        if kind == 0:
            return f'"{value}"'
        if kind == 1 and "'" not in value:
            return f"'{value}'"
        return value.replace(" ", "\\ ") + self.chance.choice(("", "", " # a comment"))

    def path(self) -> str:
        return self.quoted(
            self.pick(
                "~/.ssh/a", "/k/b", "~/two words", "${BG_KEYS}/c", "/k/%h-%p", "%d/.ssh/%r", "/k/%n%%", "none"
            )
        )

    def setting(self) -> str:
        name = self.chance.choice(
            (
                *(
                    "HostName",
                    "HostName",
                    "User",
                    "User",
                    "Port",
                    "IdentityFile",
                    "IdentityFile",
                    "ProxyJump",
                ),
                *("ProxyCommand", "CertificateFile", "UserKnownHostsFile", "HostKeyAlias", "IdentitiesOnly"),
                *("AddressFamily", "ConnectTimeout", "IdentityAgent", "StrictHostKeyChecking", "Ciphers"),
                *("KexAlgorithms", "HostKeyAlgorithms", "PubkeyAcceptedAlgorithms", "HashKnownHosts"),
                *(
                    "GlobalKnownHostsFile",
                    "BindAddress",
                    "PreferredAuthentications",
                    "ForwardAgent",
                    "SendEnv",
                ),
                *("CanonicalizeHostname", "CanonicalDomains", "CanonicalizeMaxDots", "LocalForward"),
            )
        )
        return self.line(name, self.value(name))

    def value(self, name: str) -> str:
        pick = self.pick
        values: Mapping[str, Callable[[], str]] = {
            "HostName": lambda: self.quoted(
                pick("10.0.0.1", "%h.lab.example", "DB.Lab", "fe80::2", "x%%y", "web2")
            ),
            "User": lambda: self.quoted(pick(*USERS)),
            "Port": lambda: pick("22", "2222", "65535", "0022", "ssh"),
            "IdentityFile": self.path,
            "CertificateFile": self.path,
            "ProxyJump": lambda: pick(
                *(
                    "none",
                    "gate",
                    "ops@gate:2222",
                    "10.9.9.9",
                    "a@b,c:23",
                    "ssh://root@gate:24",
                    "a,b,c@d",
                )
            ),
            "ProxyCommand": lambda: pick("none", 'nc "%h" %p', "ssh -W %h:%p gate # not a comment", "'nc x'"),
            "UserKnownHostsFile": lambda: pick(
                *(
                    '"/k/two words" /k/one',
                    "~/.ssh/known",
                    "${BG_KEYS}/known ~/x",
                    "/k/%h /k/%k /k/%r",
                    "none",
                    "/dev/null",
                )
            ),
            "GlobalKnownHostsFile": lambda: pick("/etc/known /etc/more", "none", '"/etc/two words"'),
            "HostKeyAlias": lambda: self.quoted(pick("machine", "Other-Machine", "web1")),
            "IdentitiesOnly": lambda: pick("yes", "no", "true", "YES"),
            "HashKnownHosts": lambda: pick("yes", "no"),
            "AddressFamily": lambda: pick("any", "inet", "inet6", "INET"),
            "ConnectTimeout": lambda: pick("none", "5", "1m30s", "2h", "0"),
            "IdentityAgent": lambda: self.quoted(
                pick("none", "SSH_AUTH_SOCK", "$BG_KEYS", "~/agent", "/run/%u/a")
            ),
            "StrictHostKeyChecking": lambda: pick("yes", "no", "ask", "off", "accept-new"),
            "Ciphers": lambda: pick("aes256-ctr", "aes128-gcm@openssh.com,aes256-ctr"),
            "KexAlgorithms": lambda: pick("curve25519-sha256", "ecdh-sha2-nistp256,curve25519-sha256"),
            "HostKeyAlgorithms": lambda: pick("ssh-ed25519", "rsa-sha2-512,ssh-ed25519"),
            "PubkeyAcceptedAlgorithms": lambda: pick("ssh-ed25519", "rsa-sha2-512"),
            "BindAddress": lambda: pick("127.0.0.1", "10.1.1.1"),
            "PreferredAuthentications": lambda: pick("publickey", "publickey,password"),
            "ForwardAgent": lambda: pick("yes", "no"),
            "SendEnv": lambda: "LANG LC_*",
            # No name is looked up: there is no domain to look in.
            "CanonicalizeHostname": lambda: pick("no", "no", "yes"),
            "CanonicalDomains": lambda: "none",
            "CanonicalizeMaxDots": lambda: "0",
            "LocalForward": lambda: "127.0.0.1:1 10.0.0.1:2",
        }
        return values[name]()

    def condition(self) -> str:
        words: list[str] = []
        for _ in range(self.chance.choice((1, 1, 2, 3))):
            kind = self.pick(
                "host", "originalhost", "user", "localuser", "exec", "final", "canonical", "host"
            )
            patterns = ",".join(self.chance.sample(PATTERNS, self.chance.choice((1, 1, 2))))
            no = self.pick("", "", "", "!")
            if kind in ("final", "canonical"):
                words.append(no + kind)
            elif kind == "exec":
                command = self.pick(
                    "true", "false", "test %h = web1", "test %n = %h", "test %r-%p = ops-22", "echo %%"
                )
                words += [no + kind, f'"{command}"']
            elif kind in ("user", "localuser"):
                words += [no + kind, self.pick(*USERS, "o*", "!root,*", f"{USER},me")]
            else:
                words += [f"{no}{kind}={patterns}"] if self.chance.random() < 0.1 else [no + kind, patterns]
        return " ".join(words)

    def block(self) -> str:
        kind = self.chance.random()
        if kind < 0.5:
            return self.line("Host", " ".join(self.chance.sample(PATTERNS, self.chance.choice((1, 1, 2, 3)))))
        if kind < 0.6:
            return self.line("Match", "all")
        return f"Match {self.condition()}"

    def include(self, depth: int) -> str:
        self.number += 1
        stem = f"part{self.number}-"
        for each in ("a", "b")[: self.chance.choice((1, 2))]:
            (self.folder / f"{stem}{each}").write_text(self.text(depth + 1))
        name = shlex.quote(f"{self.folder}/{stem}") + "*"
        return f"Include {name} {self.folder}/absent*"

    def text(self, depth: int = 0) -> str:
        lines = ["# generated", ""]
        for _ in range(self.chance.choice((2, 4, 6))):
            if depth or self.chance.random() < 0.9:
                lines.append(self.block())
            lines += [self.setting() for _ in range(self.chance.choice((1, 2, 3)))]
            if depth < 2 and self.chance.random() < 0.2:
                lines.append(self.include(depth))
        return "\n".join(lines) + "\n"


def theirs_of(answer: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    return {keyword: answer[keyword] for keyword in COMPARED if keyword in answer}


def in_their_form(
    found: Found, alias: str, theirs: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    """What is configured, as `ssh -G` would print it; where nothing is configured, what it prints."""
    values = {
        keyword: tuple(each.text for each in found[keyword]) for keyword in COMPARED if keyword in found
    }
    tokens = tokens_of(alias, {"hostname": theirs["hostname"], **values})
    for keyword in (*KNOWN_HOSTS_FILES, "identityagent"):
        named = values.get(keyword)
        plain = ("none", "SSH_AUTH_SOCK")
        if named is not None and not (keyword == "identityagent" and named[0].startswith("$")):
            values[keyword] = (
                " ".join(each if each in plain else str(tokens.path(each, keyword)) for each in named),
            )
    values.setdefault("hostname", (alias.lower(),))
    for keyword in ("proxyjump", "proxycommand"):
        if values.get(keyword) == ("none",):
            del values[keyword]
    usual = {"user": (USER,), "port": ("22",), "addressfamily": ("any",), "connecttimeout": ("none",)}
    missing = {keyword: theirs[keyword] for keyword in theirs if keyword not in found}
    wrong = {keyword: values for keyword, values in usual.items() if missing.get(keyword, values) != values}
    assert not wrong, f"ssh has a value that we have not read: {wrong}"
    unread = missing.keys() & {"hostkeyalias", "proxyjump", "proxycommand", "certificatefile", "bindaddress"}
    assert not unread, f"ssh has a value that we have not read: {unread}"
    return {**missing, **values}


def of_the_way(alias: str, file: Path, user: str | None, port: int | None) -> dict[str, tuple[str, ...]]:
    """What a connection would be made with."""
    host = Host("box", alias, port, user, ssh_config=file)
    hop = route_to(Site("test", hosts={"box": host}), host)[-1]
    return {
        "hostname": (hop.address,),
        "port": (str(hop.port),),
        "user": (hop.user,),
        "identityfile": tuple(map(str, hop.identities)),
        "certificatefile": tuple(map(str, hop.certificates)),
        "identityagent": (str(hop.agent or "none"),),
        "userknownhostsfile": tuple(map(str, hop.known_hosts)),
        "addressfamily": (hop.origin.family,),
        "connecttimeout": (f"{hop.connect_timeout:.0f}",),
        "bindaddress": (hop.origin.address or "",),
        "hostkeyalias": (hop.known_as if hop.fallback is None and hop.known_as != hop.address else "",),
    }


def theirs_of_the_way(answer: Mapping[str, tuple[str, ...]], alias: str) -> dict[str, tuple[str, ...]]:
    """The same from what `ssh` says, with its file names in full."""
    tokens = tokens_of(alias, answer)

    def files(keyword: str) -> tuple[str, ...]:
        return tuple(str(tokens.path(each, keyword)) for each in answer.get(keyword, ()) if each != "none")

    agent = answer.get("identityagent", ("SSH_AUTH_SOCK",))[0]
    variables = {"SSH_AUTH_SOCK": os.environ.get("SSH_AUTH_SOCK", "none"), "$BG_KEYS": os.environ["BG_KEYS"]}
    waits = answer["connecttimeout"][0]
    known = answer["userknownhostsfile"][0].replace("/k/two words", "/k/two-words").split(" ")
    return {
        "hostname": answer["hostname"],
        "port": answer["port"],
        "user": answer["user"],
        "identityfile": files("identityfile"),
        "certificatefile": files("certificatefile"),
        "identityagent": (variables.get(agent, agent),),
        "userknownhostsfile": tuple(
            each.replace("two-words", "two words") for each in known if each not in ("none", "/dev/null")
        ),
        "addressfamily": answer["addressfamily"],
        "connecttimeout": ("15" if waits in ("none", "0") else waits,),
        "bindaddress": answer.get("bindaddress", ("",)),
        "hostkeyalias": tuple(
            each if each != answer["hostname"][0] else "" for each in answer.get("hostkeyalias", ("",))
        ),
    }


def differs(seed: int, folder: Path) -> str:
    """What our reading of one configuration makes that `ssh` does not, in words; empty for nothing."""
    folder.mkdir()
    writer = Writer(folder, seed)
    file = folder / "config"
    file.write_text(writer.text())
    alias = writer.pick(*ALIASES)
    user, port = writer.pick("", "", "ops") or None, int(writer.pick("0", "0", "2200")) or None
    program = openssh()
    assert program is not None
    answer = ask(program, alias, file, user, port)
    theirs = theirs_of(answer)
    canonicalized = answer["canonicalizehostname"] != ("false",)
    found = read(alias, file, user, port, canonical=theirs["hostname"][0] if canonicalized else None)
    ours = in_their_form(found, alias, theirs)
    if ours == theirs and seed % 3 == 0 and "proxyjump" not in answer:
        theirs, ours = theirs_of_the_way(answer, alias), of_the_way(alias, file, user, port)
    if ours == theirs:
        return ""
    wrong = {
        key: (ours.get(key), theirs.get(key)) for key in ours | theirs if ours.get(key) != theirs.get(key)
    }
    return f"seed {seed}, {user}@{alias}:{port}: {wrong}\n{file.read_text()}"


def test_generated_configurations_mean_what_ssh_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, soak: bool
) -> None:
    monkeypatch.setenv("BG_KEYS", "/keys")
    monkeypatch.setenv("SHELL", "/bin/sh")
    seeds = range(LONG if soak else SHORT)
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(differs, seeds, (tmp_path / str(seed) for seed in seeds))
    wrong = [each for each in found if each]
    assert not wrong, wrong[0]


@pytest.mark.parametrize(
    "text",
    [
        *("Host\n", "Match\n", "Match host\n", "Match exec\n", 'Host "unclosed\n', "Match all host x\n"),
        *(
            "Port many\n",
            "Port 99999\n",
            "Port 0\n",
            "ConnectTimeout soon\n",
            "AddressFamily inet5\n",
            "User\n",
        ),
        *("User a b\n", "IdentitiesOnly perhaps\n", "ProxyJump user@:22\n", "Fancy yes\n"),
        *("Match fancy x\n  User me\n", "Host other\n  Fancy yes\n", "HostName %z\n", "Match exec %z\n"),
    ],
)
def test_what_ssh_refuses_is_refused_with_its_place(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config"
    file.write_text(text)
    program = openssh()
    assert program is not None
    with pytest.raises(ClientConfigError):
        ask(program, "web1", file, None, None)
    with pytest.raises(ClientConfigError, match=f"{file}:[12]: |%z"):
        read("web1", file, None, None)
