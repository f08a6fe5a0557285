"""A site: where things are and how to get in. A runbook names; a site says what the names are.

A rehearsal is another site, whose addresses are on loopback. Durations are seconds. Each class says how it is
written in a file, once: see `breakglass.yamlio.record`.
"""

import ipaddress
import os
import pwd
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, TypeAlias
from urllib.parse import urlsplit

from breakglass.network_guard import Servers
from breakglass.policy.local_programs import CODE_VARIABLES
from breakglass.policy.site_rules import ReadPattern, SiteRules
from breakglass.site.read_patterns import HELP as READS_HELP
from breakglass.site.read_patterns import READS
from breakglass.values import Json
from breakglass.yamlio.position import Position
from breakglass.yamlio.record import Given, derived, key, one_of, record, shape_of
from breakglass.yamlio.shape import (
    IDENTIFIER,
    PATH,
    SITE_NAME,
    TEXT,
    Identifier,
    SiteName,
    integer,
    list_of,
    made,
    mapping_of,
    meant,
    number,
    one_or_more,
    text,
)

CREDENTIAL_HEADERS = frozenset(
    {"authorization", "proxy-authorization", "cookie", "x-vault-token", "x-api-key"}
)
"""Headers, in lower case, whose value is a secret."""


def _usable(url: str) -> str:
    try:
        parts = urlsplit(url)
        wrong = "port 0 is none" if parts.port == 0 else "" if parts.hostname else "it has no host"
    except ValueError as error:
        raise ValueError(f"{url[:80]!r} is not a URL: {error}") from error
    if parts.username is not None:
        wrong = "a URL holds no login; use `basic` with the name of a secret"
    if not wrong and not (parts.hostname or "").isascii():
        wrong = _no_international_name(parts.hostname or "")
    if wrong:
        raise ValueError(f"not a URL that can be used: {wrong}")
    return url


def _no_international_name(host: str) -> str:
    """Why a name with other letters than ASCII's has no form that can be looked up; empty where it has."""
    import idna

    try:
        idna.encode(host, uts46=True)
    except idna.IDNAError as error:
        return f"its name cannot be looked up: {error}"
    return ""


def _ip_address(written: str) -> str:
    try:
        ipaddress.ip_address(written)
    except ValueError as error:
        message = f"{written[:80]!r} is not an IP address; a pinned address must need no DNS"
        raise ValueError(message) from error
    return written


Port: TypeAlias = Annotated[int, integer(1, 65535)]
Namespace: TypeAlias = Annotated[str, text("a namespace", pattern=r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")]
Url: TypeAlias = Annotated[
    str, made(text("an http or https URL without query", pattern=r"https?://[^\s?#]+"), _usable)
]
HEADERS = mapping_of(
    text("a value of one line", pattern=r"[^\r\n\x00]*", may_be_empty=True, as_written=True),
    key=text("a header's name", pattern=r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"),
)


def _name(given: Given) -> str:
    return given.name.text if given.name is not None else ""


@dataclass(frozen=True, slots=True)
class EnvironmentSecret:
    variable: str


@dataclass(frozen=True, slots=True)
class FileSecret:
    path: Path


@dataclass(frozen=True, slots=True)
class CommandSecret:
    argv: tuple[str, ...]


@record("keyring entry")
class KeyringSecret:
    """An entry of the desktop's keyring."""

    service: str = key("The service that it is kept for.")
    account: str = key("The account of that service.")


@record("Kubernetes Secret")
class KubernetesSecret:
    """One key of a Secret of a cluster."""

    cluster: SiteName = key("A cluster of this site.")
    namespace: Namespace = key("The Secret's namespace.")
    name: str = key("The Secret's name.")
    key: str = key("The key in its data.")


@dataclass(frozen=True, slots=True)
class PromptSecret:
    prompt: str


Secret: TypeAlias = (
    EnvironmentSecret | FileSecret | CommandSecret | KeyringSecret | KubernetesSecret | PromptSecret
)


@record(
    "secret",
    refusal="a secret is not written here; say where it is: {env: NAME}, {file: PATH}, {command: [...]}, …",
)
class SecretPlace:
    """Where a secret is found when it is needed. One that is written out is refused, and not repeated."""

    found: Secret = one_of(
        {
            "env": (
                "A variable of the environment.",
                made(text("a variable's name", pattern=r"[A-Za-z_][A-Za-z0-9_]*"), EnvironmentSecret),
            ),
            "file": ("Its content, without the last line break.", made(PATH, FileSecret)),
            "command": (
                "What a program writes to standard output; no shell in between.",
                made(
                    list_of(text("a word", as_written=True), "a list of words, the program first", minimum=1),
                    CommandSecret,
                ),
            ),
            "keyring": ("An entry of the desktop's keyring.", shape_of(KeyringSecret)),
            "kubernetes": ("One key of a Secret of a cluster.", shape_of(KubernetesSecret)),
            "prompt": ("Ask the operator, in these words, when it is needed.", made(TEXT, PromptSecret)),
        }
    )


@record("cluster")
class Cluster:
    """A Kubernetes API."""

    name: str = derived(_name)
    kubeconfig: Path | None = key("Otherwise `KUBECONFIG` or ~/.kube/config, as kubectl does.", default=None)
    context: str | None = key("The context; otherwise the kubeconfig's current one.", default=None)
    server: Url | None = key(
        "In place of the kubeconfig's, for example an IP when DNS is down.", default=None
    )
    impersonate: str | None = key("The user to act as.", default=None)
    proxy: str | None = key(
        "Its URL.",
        text("a proxy's URL without a login", pattern=r"(https?|socks5h?)://[^\s/?#@]+/?"),
        default=None,
    )
    verify_tls: bool = key(
        "false: a kubeconfig with insecure-skip-tls-verify may be used, and whoever answers is trusted.",
        default=True,
    )

    def checked(self, given: Given) -> "Cluster":
        if not self.verify_tls:
            message = (
                "verify_tls: false trusts whoever answers; put the cluster's CA into the kubeconfig instead"
            )
            given.problem(given.at("verify_tls"), message, warning=True)
        return self


@record("host", short="address")
class Host:
    """A machine reached by SSH. What is left out comes from ~/.ssh/config."""

    name: str = derived(_name)
    address: str = key(
        "An IP address, a name, or a Host of ~/.ssh/config.",
        text("an address", pattern=r"[A-Za-z0-9_:][A-Za-z0-9_.:%-]*"),
        instead="",
    )
    port: Port | None = key("Where its SSH server listens.", default=None)
    user: str | None = key("Whom to log in as.", text("a user name", pattern=r"[^\s-]\S*"), default=None)
    identity: Path | None = key("The private key; only it is offered.", default=None)
    certificate: Path | None = key("The SSH certificate that goes with it.", default=None)
    jump: tuple[str, ...] = key(
        "Hosts of this site to go through, nearest first.", one_or_more(SITE_NAME, minimum=0), default=()
    )
    known_hosts: Path | None = key("In place of ~/.ssh/known_hosts.", default=None)
    ssh_config: Path | None = key("In place of ~/.ssh/config.", default=None)
    forced_command: bool = key(
        "It takes one bare verb and nothing else: no shell, no sudo, no `cd`.", default=False
    )
    connections_per_minute: float = key(
        "New connections that it accepts a minute, before it drops them silently.",
        number(0.1, 6000),
        default=6.0,
    )
    passphrase: Identifier | None = key("The name of the secret that opens an encrypted key.", default=None)


@record("port-forward")
class PortForward:
    """A way through the Kubernetes API to a service or pod, for the `http` steps that ask its endpoint.

    It takes the place of `kubectl port-forward`: opened at the first request, kept until the session ends.
    """

    cluster: SiteName = key("A cluster of this site.")
    namespace: Namespace = key("The namespace of the service or pod.")
    target: str = key(
        "`svc/NAME` or `pod/NAME`.",
        text("svc/NAME or pod/NAME", pattern=r"(svc|pod)/[a-z0-9]([a-z0-9.-]*[a-z0-9])?"),
    )
    port: Port = key("The port of the service or pod.")


@record("basic login")
class BasicLogin:
    """A user name and a password."""

    user: str = key("The user name.")
    password: Identifier = key("The name of a secret.")


@record("endpoint", at_most_one_of=("bearer", "basic"))
class Endpoint:
    """An HTTP service."""

    name: str = derived(_name)
    url: Url = key("Its URL; a step's path is put after it.", instead="")
    resolve: str | None = key(
        "The IP address to connect to, as `curl --resolve` pins it: SNI and Host stay the URL's.",
        made(TEXT, _ip_address),
        default=None,
    )
    ca: Path | None = key("Certificates to trust in place of the system's, PEM.", default=None)
    verify_tls: bool = key("false: trust whoever answers.", default=True)
    client_certificate: Path | None = key("PEM; it may hold the key as well.", default=None)
    client_key: Path | None = key("PEM, without a passphrase.", default=None)
    headers: Mapping[str, str] = key(
        "Sent with each request. No secrets.", HEADERS, default_factory=dict[str, str]
    )
    bearer: Identifier | None = key("The name of the secret that is sent as a bearer token.", default=None)
    basic: BasicLogin | None = key("The login that is sent as HTTP basic authentication.", default=None)
    forward: PortForward | None = key(
        "Reach it through the Kubernetes API, past a broken ingress or login page.", default=None
    )
    legacy_tls: bool = key(
        "true: take TLS 1.0 and 1.1 and weak ciphers as well, for a device that can do no better.",
        default=False,
    )

    def checked(self, given: Given) -> "Endpoint":
        if given.has("client_key") and not given.has("client_certificate"):
            given.problem(given.at("client_key"), "a client_key needs its client_certificate")
        if given.has("resolve") and given.has("forward"):
            given.problem(given.at("resolve"), "a port-forward has its own address; leave `resolve` out")
        for name, message in self._doubts():
            given.problem(given.at(name), message, warning=True)
        return self

    def _doubts(self) -> Iterator[tuple[str, str]]:
        """What is allowed and rarely wise, with the key that says so."""
        if not self.verify_tls:
            yield "verify_tls", "verify_tls: false trusts whoever answers; give the endpoint's `ca` instead"
        if self.legacy_tls:
            yield "legacy_tls", "legacy_tls: true protects little; keep it for devices that can do no better"
        for name in self.headers:
            if name.lower() in CREDENTIAL_HEADERS:
                yield (
                    "headers",
                    f"{name} looks like a secret, which would be in the clear here; use `bearer` or `basic`",
                )
        login = self.bearer or self.basic
        if login and self.url.startswith("http:") and self.forward is None and not self._is_on_loopback():
            yield "url", "the secret would cross the network in the clear; use https, or a port-forward"

    def _is_on_loopback(self) -> bool:
        host = self.resolve or urlsplit(self.url).hostname or ""
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"


ProgramPath: TypeAlias = Annotated[
    str, text("an absolute path in plain letters", pattern=r"(/[A-Za-z0-9_+@%][A-Za-z0-9._+@%-]*)+")
]
VARIABLE = text("a variable's name", pattern=r"[A-Za-z_][A-Za-z0-9_]*")


def login_name() -> str:
    """Whose rights this program has: the user's name, or the number of one without."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"uid {os.geteuid()}"


@record("local")
class LocalPrograms:
    """What runbooks may run on the machine where breakglass runs. Nothing else is started there."""

    programs: Mapping[SiteName, ProgramPath] = key(
        "Programs by the names that runbooks have for them, each with its absolute path.",
        default_factory=dict[str, str],
    )
    environment: tuple[str, ...] = key(
        "Variables of breakglass's own environment that these programs get, by name. They get no others:"
        " without PATH here, theirs leads nowhere; HOME and LANG are not set.",
        list_of(VARIABLE, "a list of variables' names"),
        default=(),
    )
    answers: Host | None = None
    """What answers for the programs in a simulated world. None: they really run."""

    @property
    def where(self) -> str:
        """Which machine this is, and as whom programs run here."""
        if self.answers is not None:
            return "this machine (simulated)"
        return f"{login_name()}@{os.uname().nodename} (this machine)"

    def checked(self, given: Given) -> "LocalPrograms":
        for name in self.environment:
            if CODE_VARIABLES.fullmatch(name):
                message = f"{name} makes a program run other code than its own; leave it out"
                given.problem(given.at("environment", name), message)
        return self


@record("lease")
class SharedLease:
    """Where live sessions show each other that they are open: a Kubernetes Lease for each runbook.

    That it stands in the site is the operator's word for writing it.
    """

    cluster: SiteName = key("A cluster of this site.")
    namespace: Namespace = key("The namespace that the Leases are in.", default="default")


@record("site")
class Site:
    """Where runbooks run: clusters, hosts, endpoints and secrets."""

    name: SiteName = key("The site's name, shown beside everything that is done.", named="site")
    path: Path | None = derived(lambda given: given.position.file, default=None)
    """None for a site that was not read from a file."""
    description: str = key("What the site is, in words.", default="")
    production: bool = key("Whether real users depend on it.", default=True)
    clusters: Mapping[SiteName, Cluster] = key(
        "Kubernetes APIs, by name.", default_factory=dict[str, Cluster]
    )
    hosts: Mapping[SiteName, Host] = key("Machines reached by SSH, by name.", default_factory=dict[str, Host])
    endpoints: Mapping[SiteName, Endpoint] = key(
        "HTTP services, by name.", default_factory=dict[str, Endpoint]
    )
    local: LocalPrograms = key(
        "What may run on the machine where breakglass runs.", default_factory=LocalPrograms
    )
    secrets: Mapping[str, Secret] = key(
        "Where secrets are found when they are needed, by name.",
        mapping_of(made(shape_of(SecretPlace), lambda place: place.found), key=IDENTIFIER),
        default_factory=dict[str, Secret],
    )
    variables: Mapping[Identifier, Json] = key(
        "What runbooks read as `site.variables`; any data, and no secrets.", default_factory=dict[str, Json]
    )
    lease: SharedLease | None = key(
        "Live sessions write a Lease here and so see each other; without this, none is written.", default=None
    )
    reaches: Servers | None = None
    """The servers of a simulated world; nothing else is connected to. None: the site is real."""
    signers: Path | None = key(
        "Who may give the second word of `approve: 2`, and with which key: a file in the form of OpenSSH's"
        " allowed_signers. Where there is one, every word after the first is an SSH signature.",
        default=None,
    )
    reads: tuple[ReadPattern, ...] = key(READS_HELP, READS, default=())
    source: str = field(default="", repr=False, compare=False)
    """The text that was loaded."""

    def lacks(self, what: str, name: str, names: Iterable[str]) -> str:
        """What is told of a name that it does not have. what: such as `host`. names: those that it has."""
        return f"site {self.name} has no {what} {name!r}; it has: {', '.join(names) or 'none'}"

    @property
    def says(self) -> SiteRules:
        """What the site adds to what is known of commands."""
        return SiteRules(
            self.reads,
            frozenset(name for name, host in self.hosts.items() if host.forced_command),
            {name: (path,) for name, path in self.local.programs.items()},
        )

    def checked(self, given: Given) -> "Site":
        for kind, name, *path in self._references():
            known = given.names(f"{kind}s")
            if name not in known:
                message = f"the site has no {kind} {name!r}{meant(name, known)}"
                given.problem(given.at(*path, name), message)
        for position, loop in self._loops(given):
            given.problem(position, f"jump goes in a circle: {' → '.join(loop)}")
        return self

    def _references(self) -> Iterator[tuple[str, ...]]:
        """Each name by which one part means another: the other's kind, the name, and the path to it."""
        for name, host in self.hosts.items():
            yield from (("host", jump, "hosts", name, "jump") for jump in host.jump)
            if host.passphrase is not None:
                yield "secret", host.passphrase, "hosts", name, "passphrase"
        for name, endpoint in self.endpoints.items():
            if endpoint.bearer is not None:
                yield "secret", endpoint.bearer, "endpoints", name, "bearer"
            if endpoint.basic is not None:
                yield "secret", endpoint.basic.password, "endpoints", name, "basic", "password"
            if endpoint.forward is not None:
                yield "cluster", endpoint.forward.cluster, "endpoints", name, "forward", "cluster"
        for name, secret in self.secrets.items():
            if isinstance(secret, KubernetesSecret):
                yield "cluster", secret.cluster, "secrets", name, "kubernetes", "cluster"
        if self.lease is not None:
            yield "cluster", self.lease.cluster, "lease", "cluster"

    def _loops(self, given: Given) -> Iterator[tuple[Position, tuple[str, ...]]]:
        """Hosts that are reached through themselves, each loop said once."""
        said: set[str] = set()
        for name, host in self.hosts.items():
            for jump in host.jump:
                way = self._way(jump, name)
                if way and not said & {name, *way}:
                    said |= {name, *way}
                    yield given.at("hosts", name, "jump", jump), (name, *way)

    def _way(self, start: str, goal: str) -> tuple[str, ...]:
        """The names from one host to another along their jumps; empty when none leads there."""
        ways: dict[str, tuple[str, ...]] = {start: (start,)}
        waiting = [start]
        for name in waiting:
            if name == goal:
                return ways[name]
            for jump in self.hosts[name].jump if name in self.hosts else ():
                if jump not in ways:
                    ways[jump] = (*ways[name], jump)
                    waiting.append(jump)
        return ()
