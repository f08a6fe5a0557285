"""What a session holds to: its runbook with all that it includes, and its site with where the site leads.

Both are texts. Their digests are in the record, and the texts themselves beside it, so that a resume can show
what has changed since. The site's text is its file, and after it what the file leaves to others: the context
of each kubeconfig that it names, the SSH configuration, and who may sign. No secret is in it: of a kubeconfig
only the facts that decide which server is reached and as whom.
"""

import difflib
import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from breakglass.journal.folders import SessionFolder
from breakglass.journal.state import State
from breakglass.runbook.load import whole_text
from breakglass.runbook.model import Runbook
from breakglass.site.model import Cluster, Site
from breakglass.transport.local_program import LocalProgramError, look_at
from breakglass.values import Json

MOST_LINES = 400
"""Lines of a difference that are shown; the files themselves have the rest."""

PLAIN_FACTS = (
    *("client-certificate", "client-key", "tokenFile", "username"),
    *("as", "as-uid", "as-groups", "as-user-extra"),
)
"""Facts about a user of a kubeconfig that hold no secret."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """The texts that a session holds to. `site` is empty where the session has no site file."""

    runbook: str
    site: str

    @property
    def runbook_digest(self) -> str:
        return digest(self.runbook)

    @property
    def site_digest(self) -> str:
        return digest(self.site) if self.site else ""


@dataclass(frozen=True, slots=True)
class Drift:
    """What differs from what a session held to. `what` names it; `shown` says how, line by line."""

    what: str
    shown: str
    now: Baseline


def digest(text: str) -> str:
    """SHA-256 of a text, in hexadecimal."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def current_baseline(runbook: Runbook, site: Site) -> Baseline:
    """The texts as they are now. Reads files, so it blocks."""
    return Baseline(
        whole_text(runbook), "\n".join(_site_lines(site, runbook)) + "\n" if site.path is not None else ""
    )


def keep(folder: SessionFolder, baseline: Baseline) -> None:
    """Keep the texts beside the journal. On a full disk only what could be shown of a change is missing."""
    with suppress(OSError):
        folder.baseline.mkdir(mode=0o700, exist_ok=True)
        for text in filter(None, (baseline.runbook, baseline.site)):
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
            descriptor = os.open(folder.baseline / digest(text), flags, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace", newline="") as file:
                file.write(text)


def changed_since(state: State, folder: SessionFolder, runbook: Runbook, site: Site) -> Drift | None:
    """What is not as this session last held to. None: both are the same. Reads files, so it blocks.

    A session of a version that kept no digest of its site counts as changed, since nothing is known of it.
    """
    now = current_baseline(runbook, site)
    parts: list[tuple[str, str]] = []
    for what, path, was, text in (
        ("runbook", runbook.path, state.runbook_digest, now.runbook),
        ("site", site.path, state.site_digest, now.site),
    ):
        if not was:
            unknown = "it was not recorded, so it is not known whether it is the same"
            parts.append((what, f"{what} {path}: {unknown}"))
        elif was != digest(text):
            parts.append((what, _difference(what, path, _kept(folder, was), text)))
    if not parts:
        return None
    return Drift(" and ".join(what for what, _ in parts), "\n".join(shown for _, shown in parts), now)


def _kept(folder: SessionFolder, wanted: str) -> str | None:
    """A text that was kept; None where it is missing or is not what was recorded."""
    try:
        with (folder.baseline / wanted).open(encoding="utf-8", newline="") as file:
            text = file.read()
    except (OSError, ValueError):
        return None
    return text if digest(text) == wanted else None


def _difference(what: str, path: Path | None, was: str | None, now: str) -> str:
    heading = f"{what} {path}:"
    if was is None:
        return f"{heading} it has changed; what it was is not kept, so it cannot be shown how"
    before, after = _shown_lines(was), _shown_lines(now)
    lines = list(difflib.unified_diff(before, after, "as it was", "as it is", n=2, lineterm=""))
    if len(lines) > MOST_LINES:
        left = len(lines) - MOST_LINES
        lines = [*lines[:MOST_LINES], f"… and {left} more lines; compare the files"]
    return "\n".join((heading, *lines))


def _shown_lines(text: str) -> list[str]:
    """The lines of a text. An included file begins with its name, behind the NUL that sets it apart."""
    return text.replace("\0", "\n").split("\n")


def _site_lines(site: Site, runbook: Runbook) -> Iterator[str]:
    yield site.source
    for cluster in site.clusters.values():
        yield f"# cluster {cluster.name}"
        yield from _cluster_lines(cluster)
    for file in dict.fromkeys(host.ssh_config for host in site.hosts.values()):
        yield f"# {file or 'the SSH configuration of the user and the system'}"
        yield from _ssh_lines(file)
    for name in runbook.uses.programs:
        if name in site.local.programs:
            yield f"# program {name}"
            yield _program_line(name, site.local.programs[name])
    if site.signers is not None:
        yield f"# {site.signers}"
        yield _text_of(site.signers)


def _program_line(name: str, path: str) -> str:
    """Which file a program of this machine is: another one may do something else."""
    try:
        found = look_at(name, path)
    except LocalProgramError as error:
        return f"cannot be run: {error}"
    _, _, size, modified, _ = found.identity
    return f"{path} leads to {found.leads_to}, {size} bytes, written {modified // 10**9}"


def _cluster_lines(cluster: Cluster) -> Iterator[str]:
    """Which server a cluster's name leads to, and as whom. Token and password are left out: they hold a
    secret, and programs renew them."""
    from breakglass.transport.kubectl.faults import KubectlFaultError
    from breakglass.transport.kubectl.kubeconfig import choose

    try:
        choice = choose(cluster, os.environ)
    except KubectlFaultError as error:
        yield f"cannot be told: {error}"
        return
    yield f"context {choice.context}, namespace {choice.namespace}, user {choice.user_name}"
    for name, value in sorted(choice.cluster.items()):
        hidden = name.endswith("-data") or name in ("proxy-url", "extensions")  # they may hold a login
        yield f"{name}: {_digest_of(value) if hidden else value}"
    for name, value in sorted(choice.user.items()):
        if name in PLAIN_FACTS:
            yield f"{name}: {value}"
        elif name in ("client-certificate-data", "exec"):
            yield f"{name}: {_digest_of(value)}"


def _digest_of(value: Json) -> str:
    return f"SHA-256 {digest(repr(value))[:16]}"


def _ssh_lines(file: Path | None) -> Iterator[str]:
    """The lines of the SSH configuration that count, with its includes, and without comments."""
    from breakglass.transport.ssh.config_file import ClientConfigError, lines_of

    try:
        yield from lines_of(file)
    except ClientConfigError as error:
        yield f"cannot be read: {error}"


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        return f"cannot be read: {error.strerror}"
