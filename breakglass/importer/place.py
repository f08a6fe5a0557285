"""Where a page's commands run: on the machine of the person who reads it, on a host, in a pod."""

import re
from dataclasses import dataclass, replace
from typing import Literal

from breakglass.importer.written import quoted, words_of

_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_.-]+")
_SSH_WITH_VALUE = frozenset("BbcDEeFIiJLlmOopQRSWw")
_SHELLS = frozenset(("sh", "bash", "/bin/sh", "/bin/bash", "ash", "zsh"))
_TO_ROOT = re.compile(r"(?:sudo\s+(?:-i|-s|su(?:\s+-)?(?:\s+root)?|bash|sh)|su(?:\s+-)?(?:\s+root)?)\s*")


@dataclass(frozen=True, slots=True)
class ShellPlace:
    """A place where lines run. name: the host, or the words with which a pod or a node's shell is entered.
    sudo: its shell is root's. folder: where a `cd` has led."""

    kind: Literal["here", "host", "pod", "debug"] = "here"
    name: str = ""
    sudo: bool = False
    folder: str = ""

    def said(self) -> str:
        """Where that is, for people; empty for the reader's own machine."""
        match self.kind:
            case "host":
                return f"On {self.name}"
            case "pod" | "debug":
                return f"In {self.name}"
            case "here":
                return ""


HERE = ShellPlace()

_ON_ONES_OWN_MACHINE = frozenset(
    (
        *("kubectl", "oc", "ssh", "scp", "curl", "helm", "terraform", "tofu", "vault", "bao", "git", "gh"),
        *("glab", "gcloud", "aws", "az", "flux", "argocd", "talosctl", "ansible", "ansible-playbook"),
        *("open", "dig", "nslookup", "nc"),
    )
)


def is_ones_own(command: str) -> bool:
    """Whether a command is one that people run on their own machine, wherever they are logged in."""
    words = re.findall(r"(?<![\w/.=-])[a-z][a-z0-9-]*(?=\s|$)", command)
    return any(word in _ON_ONES_OWN_MACHINE for word in words[:6])


@dataclass(frozen=True, slots=True)
class SshLine:
    """What a line with `ssh` asks for. text: what runs there, empty where it only logs in. elsewhere: it has
    options that do something else, such as a tunnel."""

    host: str
    text: str
    sudo: bool = False
    elsewhere: bool = False


def ssh_line(template: str) -> SshLine | None:
    """The words of an `ssh` line, a template. None where it names no host."""
    words = words_of(template)
    if words is None or words[0] != "ssh":
        return None
    index, elsewhere = 1, False
    while index < len(words) and words[index].startswith("-") and len(words[index]) > 1:
        letters = words[index][1:]
        index += 1
        for at, letter in enumerate(letters):
            elsewhere = elsewhere or letter in "LRDNfWOQM"
            if letter in _SSH_WITH_VALUE:
                index += at == len(letters) - 1
                break
    if index >= len(words):
        return None
    host, rest = words[index], words[index + 1 :]
    rest = rest[1:] if rest[:1] == ["--"] else rest
    text = " ".join(rest)
    if text in _SHELLS or _TO_ROOT.fullmatch(text):
        return SshLine(host_name(host), "", sudo=text not in _SHELLS, elsewhere=elsewhere)
    return SshLine(host_name(host), text, elsewhere=elsewhere)


def host_name(host: str) -> str:
    """The name that the site may have for what stands behind `ssh`: without the user, the port and the form
    of an address."""
    host = host.removeprefix("ssh://")
    host = host.rpartition("@")[2] if "${{" not in host.rpartition("@")[0] else host[host.find("@") + 1 :]
    if "${{" in host:
        found = re.search(r"\$\{\{.*?\}\}", host)
        return found[0] if found and found[0] == host else host
    return site_name(host)


def site_name(text: str) -> str:
    """A name of the kind that a site has."""
    return _NOT_IN_A_NAME.sub("-", text).strip("-._")[:60] or "host"


def entered(text: str, place: ShellPlace) -> ShellPlace | None:
    """The place after a line that only goes somewhere else; None where it does something."""
    line = text.strip()
    if line in ("exit", "logout", "quit", "^D", "Ctrl-D"):
        return HERE
    if _TO_ROOT.fullmatch(line) and place.kind == "host":
        return replace(place, sudo=True)
    if place.kind != "here" and (found := re.fullmatch(r"cd\s+([\w./~-]+)", line)):
        return replace(place, folder=found[1])
    if place.kind == "debug" and re.fullmatch(r"chroot /host(?: /?\w*/?(?:ba)?sh)?", line):
        return replace(place, name=f"{place.name} -- chroot /host" if "--" not in place.name else place.name)
    return None


def there(text: str, place: ShellPlace) -> str:
    """A line as it runs in a place, with the folder that was gone to."""
    return f"cd {place.folder} && {text}" if place.folder else text


def in_pod(text: str, place: ShellPlace) -> str:
    """The kubectl line, without `kubectl`, that runs a line in a pod."""
    plain = not re.search(r"[|&;<>*?$`(){}~#\n\\]", re.sub(r"\$\{\{.*?\}\}", "", text)) and not place.folder
    return f"{place.name} -- {text if plain else f'sh -c {quoted(there(text, place))}'}"
