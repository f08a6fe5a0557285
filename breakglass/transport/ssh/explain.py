"""How a host would be reached: what `ssh -G` prints, what the site changes of it, and where each is from.

The values are those that a connection is made with. The lines are from our own reading; where that differs
from what `ssh` says, `ssh` is right, and stands as the place.
"""

import re
from collections.abc import Mapping

from breakglass.site.model import Host, Site
from breakglass.transport.explained import DEFAULT, Fact, Places
from breakglass.transport.ssh.client_config import Found, read
from breakglass.transport.ssh.config_file import ClientConfigError
from breakglass.transport.ssh.route import CONNECT_TIMEOUT, RouteError, route_to
from breakglass.transport.ssh.settings import KNOWN_HOSTS_FILES, ClientSettings, settings_of, tokens_of
from breakglass.transport.ssh.tokens import Tokens

ALWAYS = (
    *("hostname", "port", "user", "hostkeyalias", "proxyjump", "proxycommand", "identityfile"),
    *("certificatefile", "identitiesonly", "identityagent", "userknownhostsfile", "globalknownhostsfile"),
    *("stricthostkeychecking", "addressfamily", "connecttimeout"),
)
WHERE_CONFIGURED = (
    *("bindaddress", "bindinterface", "canonicalizehostname", "ciphers", "kexalgorithms", "macs"),
    *("hostkeyalgorithms", "pubkeyacceptedalgorithms", "casignaturealgorithms", "revokedhostkeys"),
    *("requiredrsasize", "pkcs11provider"),
)
LISTS = ("identityfile", "certificatefile", *KNOWN_HOSTS_FILES)
PLAIN = ("none", "SSH_AUTH_SOCK")
VARIABLE = re.compile(r"\$\w+")
"""How IdentityAgent names a variable."""
AS_SSH_SAYS = "ssh -G"


def explain_host(site: Site, host: Host, places: Places) -> list[Fact]:
    """Every value that decides how one gets in, and the hops, or why it stops. Runs `ssh -G`; connects to
    nothing. Raises ClientConfigError where `ssh` itself would stop."""
    settings = settings_of(host.address, host.ssh_config, host.user, host.port)
    tokens = tokens_of(host.address, settings.values)
    lines = _lines(host, settings)
    of_site = _of_site(host, places)
    facts: list[Fact] = []
    for keyword in (*ALWAYS, *(each for each in WHERE_CONFIGURED if each in settings.configured)):
        values, place = of_site.get(keyword, (settings.values.get(keyword, ()), ""))
        if not values and keyword not in LISTS:
            continue
        found = tuple(place or _place(keyword, each, settings, lines, tokens) for each in values)
        used = tuple(_used(keyword, each, tokens) for each in values)
        facts.append(
            Fact(keyword, values, found, used)
            if keyword in LISTS
            else Fact(keyword, values[0], found[0], used)
        )
    if facts[0].place == DEFAULT:
        facts[0] = Fact("hostname", facts[0].value, places("address"))
    return [*facts, _hops(site, host, settings)]


def _hops(site: Site, host: Host, settings: ClientSettings) -> Fact:
    try:
        words = tuple(hop.words for hop in route_to(site, host, settings))
    except RouteError as error:
        return Fact("stops", str(error), "")
    return Fact("hops", words, tuple("" for _ in words))


def _of_site(host: Host, places: Places) -> Mapping[str, tuple[tuple[str, ...], str]]:
    """What the site says in place of the configuration, and where."""
    found: dict[str, tuple[tuple[str, ...], str]] = {}
    if host.user is not None:
        found["user"] = (host.user,), places("user")
    if host.port is not None:
        found["port"] = (str(host.port),), places("port")
    if host.identity is not None:
        found["identityfile"] = (str(host.identity),), places("identity")
        found["identitiesonly"] = ("yes",), places("identity")
    if host.certificate is not None:
        found["certificatefile"] = (str(host.certificate),), places("certificate")
    if host.known_hosts is not None:
        found["userknownhostsfile"] = (str(host.known_hosts),), places("known_hosts")
        found["globalknownhostsfile"] = (), ""
    if host.jump:
        found["proxyjump"] = (",".join(host.jump),), places("jump")
        found["proxycommand"] = (), ""
    return found


def _lines(host: Host, settings: ClientSettings) -> Found:
    """Our own reading. Where there is none, no line is told."""
    canonical = settings.values["hostname"][0]
    try:
        return read(host.address, host.ssh_config, host.user, host.port, canonical)
    except ClientConfigError:
        return {}


def _place(keyword: str, text: str, settings: ClientSettings, lines: Found, tokens: Tokens) -> str:
    for value in lines.get(keyword, ()):
        if value.line is not None and text in (value.text, _used(keyword, value.text, tokens)):
            return value.line.place
    return AS_SSH_SAYS if keyword in settings.configured else DEFAULT


def _used(keyword: str, text: str, tokens: Tokens) -> str:
    """What a value comes to: a file's name in full, the time that `none` stands for."""
    if keyword == "connecttimeout" and text in ("none", "0"):
        return f"{CONNECT_TIMEOUT:.0f}"
    if (
        keyword in (*LISTS, "identityagent", "revokedhostkeys")
        and text not in PLAIN
        and not VARIABLE.fullmatch(text)
    ):
        return str(tokens.path(text, keyword))
    return text
