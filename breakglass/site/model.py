"""A site: where things are and how to get in. A runbook names; a site says what the names are.

A rehearsal is another site, whose addresses are on loopback. Durations are seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from breakglass.policy.site_says import ReadPattern, SiteSays
from breakglass.reach import Servers
from breakglass.values import Json


@dataclass(frozen=True, slots=True)
class EnvironmentSecret:
    variable: str


@dataclass(frozen=True, slots=True)
class FileSecret:
    path: Path


@dataclass(frozen=True, slots=True)
class CommandSecret:
    argv: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KeyringSecret:
    service: str
    account: str


@dataclass(frozen=True, slots=True)
class KubernetesSecret:
    cluster: str
    namespace: str
    name: str
    key: str


@dataclass(frozen=True, slots=True)
class PromptSecret:
    prompt: str


Secret: TypeAlias = (
    EnvironmentSecret | FileSecret | CommandSecret | KeyringSecret | KubernetesSecret | PromptSecret
)


@dataclass(frozen=True, slots=True)
class Cluster:
    """A Kubernetes API. With no `kubeconfig`, `KUBECONFIG` or `~/.kube/config` is read, as kubectl does."""

    name: str
    kubeconfig: Path | None = None
    context: str | None = None
    server: str | None = None
    """Overrides the server URL, for example to use an IP when DNS is down."""
    impersonate: str | None = None
    proxy: str | None = None
    verify_tls: bool = True
    """False allows a kubeconfig that leaves the verification out."""


@dataclass(frozen=True, slots=True)
class Host:
    """A machine reached by SSH. Whatever is None comes from `~/.ssh/config`, as `ssh` would read it."""

    name: str
    address: str
    port: int | None = None
    user: str | None = None
    identity: Path | None = None
    certificate: Path | None = None
    jump: tuple[str, ...] = ()
    """Names of hosts of this site, nearest first."""
    known_hosts: Path | None = None
    ssh_config: Path | None = None
    """A configuration file in place of `~/.ssh/config`."""
    forced_command: bool = False
    """The host takes bare verbs and nothing else; no shell, no sudo, no `cd`."""
    connections_per_minute: float = 6.0
    """How many new connections a minute the far side accepts before it drops them silently."""
    passphrase: str | None = None
    """Name of the secret that opens an encrypted key."""


@dataclass(frozen=True, slots=True)
class PortForward:
    """Reach the endpoint through the Kubernetes API, past a broken ingress or SSO."""

    cluster: str
    namespace: str
    target: str
    """`svc/NAME` or `pod/NAME`."""
    port: int


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An HTTP service. `resolve` pins its IP address, as `curl --resolve` does: SNI and Host stay the
    URL's."""

    name: str
    url: str
    resolve: str | None = None
    ca: Path | None = None
    verify_tls: bool = True
    client_certificate: Path | None = None
    client_key: Path | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    bearer: str | None = None
    """Name of a secret."""
    basic: tuple[str, str] | None = None
    """User name, and the name of the secret that is the password."""
    forward: PortForward | None = None


@dataclass(frozen=True, slots=True)
class SharedLease:
    """Where live sessions show each other that they are open: a Kubernetes Lease for each runbook.

    That it stands in the site is the operator's word for writing it.
    """

    cluster: str
    namespace: str = "default"


@dataclass(frozen=True, slots=True)
class Site:
    """All that a runbook may touch. `path` is None for a site that was not read from a file."""

    name: str
    path: Path | None = None
    description: str = ""
    production: bool = True
    clusters: Mapping[str, Cluster] = field(default_factory=dict[str, Cluster])
    hosts: Mapping[str, Host] = field(default_factory=dict[str, Host])
    endpoints: Mapping[str, Endpoint] = field(default_factory=dict[str, Endpoint])
    secrets: Mapping[str, Secret] = field(default_factory=dict[str, Secret])
    variables: Mapping[str, Json] = field(default_factory=dict[str, Json])
    lease: SharedLease | None = None
    reaches: Servers | None = None
    """The servers of a simulated world; nothing else is connected to. None: the site is real."""
    signers: Path | None = None
    """Who may give a second word, and with which key: a file in the form of OpenSSH's allowed_signers. Where
    there is one, every word after the first is an SSH signature."""
    reads: tuple[ReadPattern, ...] = ()
    """Commands that nobody else knows, and that only read here."""
    source: str = field(default="", repr=False, compare=False)
    """The text that was loaded."""

    @property
    def says(self) -> SiteSays:
        """What the site adds to what is known of commands."""
        return SiteSays(
            self.reads, frozenset(name for name, host in self.hosts.items() if host.forced_command)
        )
