"""From a host of the site to the hops that lead to it, each complete: address, user, keys, known hosts.

The site says what it knows; whatever it leaves open comes from `ssh_config`, as `ssh ADDRESS` would read it.
"""

import getpass
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from breakglass.errors import UserError
from breakglass.site.model import Host, Site
from breakglass.transport.ssh.client_config import Settings, settings_of
from breakglass.transport.ssh.host_keys import DEFAULT_PORT, known_name

CONNECT_TIMEOUT = 15.0
"""Seconds for the TCP connection where `ConnectTimeout` does not say."""
MOST_HOPS = 8
DEFAULT_IDENTITIES = ("id_rsa", "id_ecdsa", "id_ed25519")
"""What `ssh` tries by itself, in its order."""
GLOBAL_KNOWN_HOSTS = (Path("/etc/ssh/ssh_known_hosts"), Path("/etc/ssh/ssh_known_hosts2"))


class RouteError(UserError):
    """The way to a host cannot be told from the site and the configuration."""


@dataclass(frozen=True, slots=True)
class Hop:
    """One SSH server on the way. Seconds; files may be missing.

    known_as: its name in `known_hosts`; fallback: the name that counts as well, where there is one.
    identities: key files to log in with; explicit: whether somebody named them. may_ask: whether an unknown
    host key may be shown to a person. passphrase: the name of a secret.
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


def route_to(site: Site, host: Host) -> Route:
    """The hops to a host of the site. Reads files. Raises RouteError or ClientConfigError."""
    return _route(site, host, 0)


def _route(site: Site, host: Host, depth: int) -> Route:
    if depth > MOST_HOPS:
        raise RouteError(f"host {host.name}: the jump hosts lead in a circle; look at `jump` and ProxyJump")
    settings = _settings(host)
    hop = _hop(host, settings)
    jumps = [_of_site(site, host, name) for name in host.jump] or _of_config(host, settings)
    if not jumps:
        if _text(settings, "proxycommand"):
            raise RouteError(
                f"host {host.name}: ProxyCommand is not supported; use ProxyJump, or `jump` in the site"
            )
        return (hop,)
    between = tuple(_hop(each, _settings(each)) for each in jumps[1:])
    return (*_route(site, jumps[0], depth + 1), *between, hop)


def _of_site(site: Site, host: Host, name: str) -> Host:
    if name not in site.hosts:
        there = ", ".join(site.hosts)
        raise RouteError(f"host {host.name}: its jump host {name!r} is not in the site; it has: {there}")
    return site.hosts[name]


def _of_config(host: Host, settings: Settings) -> list[Host]:
    value = _text(settings, "proxyjump")
    if not value or value.lower() == "none":
        return []
    found = [_jump(host, each.strip()) for each in value.split(",")]
    return [each for each in found if each.address != host.address]


def _jump(host: Host, text: str) -> Host:
    """A hop as ProxyJump writes it: `[user@]host[:port]` or an `ssh://` URL."""
    rest = text.removeprefix("ssh://").rstrip("/")
    user, _, rest = rest.rpartition("@")
    port = ""
    if rest.startswith("["):
        address, _, port = rest[1:].partition("]")
        port = port.removeprefix(":")
    elif rest.count(":") == 1:
        address, _, port = rest.partition(":")
    else:
        address = rest
    if not address or (port and not port.isdigit()):
        raise RouteError(f"host {host.name}: ProxyJump {text!r} is not `[user@]host[:port]`")
    return Host(
        address,
        address,
        int(port) if port else None,
        user or None,
        known_hosts=host.known_hosts,
        ssh_config=host.ssh_config,
    )


def _settings(host: Host) -> Settings:
    given: list[tuple[str, str]] = []
    if host.user is not None:
        given.append(("User", host.user))
    if host.port is not None:
        given.append(("Port", str(host.port)))
    return settings_of(host.address, host.ssh_config, given)


def _hop(host: Host, settings: Settings) -> Hop:
    address = _text(settings, "hostname") or host.address
    port = host.port or int(_number(host, settings, "port", DEFAULT_PORT))
    if not 0 < port < 2**16:
        raise RouteError(f"host {host.name}: port {port} in ssh_config is not between 1 and 65535")
    alias = _text(settings, "hostkeyalias")
    identities, explicit = _identities(host, settings)
    user_files = _known_hosts(host, settings)
    certificate = _text(settings, "certificatefile")
    certificates = (host.certificate,) if host.certificate else _paths([certificate] if certificate else [])
    strict = (_text(settings, "stricthostkeychecking") or "ask").lower()
    return Hop(
        name=host.name,
        address=address,
        port=port,
        user=host.user or _text(settings, "user") or _own_name(host),
        identities=identities,
        certificates=certificates,
        explicit=explicit,
        identities_only=host.identity is not None or _text(settings, "identitiesonly") == "yes",
        agent=_agent(settings),
        known_as=alias or known_name(address, port),
        fallback=address if alias is None and port != DEFAULT_PORT else None,
        known_hosts=user_files,
        global_known_hosts=() if host.known_hosts else _global_known_hosts(settings),
        may_ask=strict not in ("yes", "true"),
        hash_known_hosts=_text(settings, "hashknownhosts") == "yes",
        connect_timeout=_number(host, settings, "connecttimeout", CONNECT_TIMEOUT) or CONNECT_TIMEOUT,
        connections_per_minute=host.connections_per_minute,
        passphrase=host.passphrase,
    )


def _identities(host: Host, settings: Settings) -> tuple[tuple[Path, ...], bool]:
    if host.identity is not None:
        return (host.identity,), True
    named = settings.get("identityfile")
    if isinstance(named, list):
        return _paths(each for each in named if each.lower() != "none"), True
    folder = Path("~/.ssh").expanduser()
    return tuple(folder / name for name in DEFAULT_IDENTITIES), False


def _agent(settings: Settings) -> Path | None:
    named = _text(settings, "identityagent")
    environment = os.environ.get("SSH_AUTH_SOCK")
    if named is None or named == "SSH_AUTH_SOCK":
        return Path(environment) if environment else None
    if named.lower() == "none":
        return None
    if named.startswith("$"):
        value = os.environ.get(named.strip("${}"))
        return Path(value) if value else None
    return Path(named).expanduser()


def _known_hosts(host: Host, settings: Settings) -> tuple[Path, ...]:
    if host.known_hosts is not None:
        return (host.known_hosts,)
    named = _text(settings, "userknownhostsfile") or "~/.ssh/known_hosts ~/.ssh/known_hosts2"
    return _paths(each for each in named.split() if each not in ("none", "/dev/null"))


def _global_known_hosts(settings: Settings) -> tuple[Path, ...]:
    named = _text(settings, "globalknownhostsfile")
    if named is None:
        return GLOBAL_KNOWN_HOSTS
    return _paths(each for each in named.split() if each not in ("none", "/dev/null"))


def _paths(names: Iterable[str]) -> tuple[Path, ...]:
    return tuple(Path(name).expanduser() for name in names)


def _own_name(host: Host) -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:
        raise RouteError(f"host {host.name}: give its `user`; the own user has no name here") from error


def _text(settings: Settings, name: str) -> str | None:
    value = settings.get(name)
    return value if isinstance(value, str) and value else None


def _number(host: Host, settings: Settings, name: str, default: float) -> float:
    value = _text(settings, name)
    if value is None:
        return default
    if not value.isdigit():
        raise RouteError(f"host {host.name}: {name} {value!r} in ssh_config is not a number")
    return float(value)
