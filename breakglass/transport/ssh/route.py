"""From a host of the site to the hops that lead to it, each complete: address, user, keys, known hosts.

The site says what it knows; whatever it leaves open comes from `ssh_config`, as `ssh ADDRESS` would read it.
"""

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

from breakglass.errors import UserError
from breakglass.site.model import Host, Site
from breakglass.transport.ssh.algorithms import Algorithms, algorithms_of, named
from breakglass.transport.ssh.certificates import AUTHORITY_ALGORITHMS
from breakglass.transport.ssh.client_config import DEFAULT_PORT, split_jump
from breakglass.transport.ssh.config_file import ClientConfigError, at_home
from breakglass.transport.ssh.dial import Origin
from breakglass.transport.ssh.host_keys import known_name
from breakglass.transport.ssh.settings import ClientSettings, settings_of, tokens_of
from breakglass.transport.ssh.tokens import Tokens

CONNECT_TIMEOUT = 15.0
"""Seconds for the TCP connection where `ConnectTimeout` does not say."""
MOST_HOPS = 8


class RouteError(UserError):
    """The way to a host cannot be told from the site and the configuration."""


@dataclass(frozen=True, slots=True)
class Hop:
    """One SSH server on the way. Seconds; files may be missing.

    proxy_command: what makes the connection, in place of a connection to the address; only of a first hop.
    known_as: its name in `known_hosts`; fallback: the name that counts as well, where there is one.
    identities: key files to log in with; explicit: whether somebody named them. may_ask: whether an unknown
    host key may be shown to a person. passphrase: the name of a secret. authority_algorithms: how a host's
    certificate may be signed; empty for what OpenSSH takes by itself. rsa_bits: the fewest that an RSA key
    may have. unusable: why something that is configured cannot be used to log in.
    """

    name: str
    address: str
    port: int
    user: str
    identities: tuple[Path, ...]
    certificates: tuple[Path, ...]
    explicit: bool
    identities_only: bool
    agent: Path | None
    known_as: str
    fallback: str | None
    known_hosts: tuple[Path, ...]
    global_known_hosts: tuple[Path, ...]
    may_ask: bool
    hash_known_hosts: bool
    connect_timeout: float
    connections_per_minute: float
    passphrase: str | None
    origin: Origin
    algorithms: Algorithms
    authority_algorithms: tuple[str, ...]
    revoked_keys: Path | None
    rsa_bits: int
    unusable: tuple[str, ...]
    proxy_command: str | None = None

    @property
    def endpoint(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"

    @property
    def words(self) -> str:
        return f"{self.name} ({self.user}@{self.endpoint})"


Route = tuple[Hop, ...]
"""The hops to a host, nearest first; the last is the host itself."""


def words_of(route: Route) -> str:
    """A host and the way to it, for messages."""
    via = via_of(route)
    return route[-1].words + (f" via {via}" if via else "")


def via_of(route: Route) -> str:
    return ", ".join(hop.name for hop in route[:-1])


def route_to(site: Site, host: Host, settings: ClientSettings | None = None) -> Route:
    """The hops to a host of the site. Runs `ssh -G` and reads files. settings: what it said of the host
    itself, where it has been asked. Raises RouteError."""
    try:
        return _route(site, host, 0, settings or _settings(host))
    except ClientConfigError as error:
        raise RouteError(f"host {host.name}: {error}") from error


def _route(site: Site, host: Host, depth: int, settings: ClientSettings) -> Route:
    if depth > MOST_HOPS:
        raise RouteError(f"host {host.name}: the jump hosts lead in a circle; look at `jump` and ProxyJump")
    hop = _hop(host, settings)
    tokens = tokens_of(host.address, settings.values)
    jumps = [_of_site(site, host, name) for name in host.jump] or _of_config(host, settings, tokens)
    if not jumps:
        command = settings.first("proxycommand")
        if command is None:
            return (hop,)
        return (replace(hop, proxy_command=tokens.expanded(command, "hnpr", "ProxyCommand")),)
    between = tuple(_hop(each, _settings(each)) for each in jumps[1:])
    return (*_route(site, jumps[0], depth + 1, _settings(jumps[0])), *between, hop)


def _of_site(site: Site, host: Host, name: str) -> Host:
    if name not in site.hosts:
        there = ", ".join(site.hosts)
        raise RouteError(f"host {host.name}: its jump host {name!r} is not in the site; it has: {there}")
    return site.hosts[name]


def _of_config(host: Host, settings: ClientSettings, tokens: Tokens) -> list[Host]:
    jumps = settings.first("proxyjump")
    return [_jump(host, each.strip(), tokens) for each in jumps.split(",")] if jumps else []


def _jump(host: Host, text: str, tokens: Tokens) -> Host:
    """A hop as ProxyJump writes it."""
    try:
        user, address, port = split_jump(tokens.expanded(text, "hnpr", "ProxyJump"))
    except ValueError as error:
        raise RouteError(f"host {host.name}: {error}") from error
    return Host(address, address, port, user, known_hosts=host.known_hosts, ssh_config=host.ssh_config)


def _settings(host: Host) -> ClientSettings:
    return settings_of(host.address, host.ssh_config, host.user, host.port)


def _hop(host: Host, settings: ClientSettings) -> Hop:
    tokens = tokens_of(host.address, settings.values)
    _refuse_what_is_not_done(host, settings)
    port = int(tokens.port)
    revoked = settings.first("revokedhostkeys")
    token = settings.first("pkcs11provider")
    alias = settings.first("hostkeyalias")
    known_as = alias or known_name(tokens.host, port)
    named = "identityfile" in settings.configured
    return Hop(
        name=host.name,
        address=tokens.host,
        port=port,
        user=tokens.user,
        identities=(host.identity,) if host.identity else _files(settings, "identityfile", tokens),
        certificates=(host.certificate,) if host.certificate else _files(settings, "certificatefile", tokens),
        explicit=host.identity is not None or named,
        identities_only=host.identity is not None or settings.first("identitiesonly") == "yes",
        agent=_agent(settings, tokens),
        known_as=known_as,
        fallback=tokens.host if alias is None and port != DEFAULT_PORT else None,
        known_hosts=(host.known_hosts,) if host.known_hosts else _known_hosts(settings, "userknownhostsfile"),
        global_known_hosts=() if host.known_hosts else _known_hosts(settings, "globalknownhostsfile"),
        may_ask=settings.first("stricthostkeychecking") != "true",
        hash_known_hosts=settings.first("hashknownhosts") == "yes",
        connect_timeout=float(settings.first("connecttimeout") or 0) or CONNECT_TIMEOUT,
        connections_per_minute=host.connections_per_minute,
        passphrase=host.passphrase,
        origin=Origin(
            settings.first("addressfamily") or "any",
            settings.first("bindaddress"),
            settings.first("bindinterface"),
        ),
        algorithms=algorithms_of(settings),
        authority_algorithms=_authority_algorithms(settings),
        unusable=(f"PKCS11Provider {token}: not read; `ssh-add -s {token}` gives it to the agent",)
        if token
        else (),
        rsa_bits=int(settings.first("requiredrsasize") or 0),
        revoked_keys=tokens.path(revoked, "RevokedHostKeys") if revoked else None,
    )


def _authority_algorithms(settings: ClientSettings) -> tuple[str, ...]:
    option = "casignaturealgorithms"
    return named(settings.values[option][0], AUTHORITY_ALGORITHMS) if option in settings.configured else ()


def _refuse_what_is_not_done(host: Host, settings: ClientSettings) -> None:
    """Stop at an option that decides how one gets in, and that is not carried out. Raises RouteError."""
    methods = (settings.first("preferredauthentications") or "publickey").split(",")
    for keyword, wrong in {
        "proxyusefdpass": settings.first("proxyusefdpass") == "yes",
        "knownhostscommand": settings.first("knownhostscommand") is not None,
        "pubkeyauthentication": settings.first("pubkeyauthentication") == "false",
        "preferredauthentications": "publickey" not in methods,
    }.items():
        if wrong:
            value = settings.first(keyword)
            raise RouteError(
                f"host {host.name}: ssh_config sets {keyword} {value}, which breakglass does not do; change "
                "it for this host, or give another `ssh_config` in the site"
            )


def _files(settings: ClientSettings, keyword: str, tokens: Tokens) -> tuple[Path, ...]:
    return tuple(tokens.path(each, keyword) for each in settings.all(keyword))


def _known_hosts(settings: ClientSettings, keyword: str) -> tuple[Path, ...]:
    return tuple(at_home(each) for each in settings.all(keyword) if each != "/dev/null")


def _agent(settings: ClientSettings, tokens: Tokens) -> Path | None:
    """The agent's socket. `none` is asked for by name, so that it is not taken for what is not configured."""
    named = settings.values.get("identityagent", ("SSH_AUTH_SOCK",))[0]
    if named.lower() == "none":
        return None
    if named == "SSH_AUTH_SOCK" or re.fullmatch(r"\$\w+", named):
        value = os.environ.get(named.removeprefix("$"))
        return Path(value) if value else None
    return tokens.path(named, "IdentityAgent")
