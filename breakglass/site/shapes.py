"""Shapes of a site's parts: clusters, hosts, endpoints and where secrets are found.

A part is read without its name, which is its key in the file, and with the names of the others that it
refers to, each with its place. Whether those are there, only the whole site knows.
"""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, Literal, TypeAlias, TypeVar
from urllib.parse import urlsplit

from breakglass.runbook.actions import IDENTIFIER, SITE_NAME
from breakglass.site.model import (
    Cluster,
    CommandSecret,
    Endpoint,
    EnvironmentSecret,
    FileSecret,
    Host,
    KeyringSecret,
    KubernetesSecret,
    PortForward,
    PromptSecret,
    Secret,
    SharedLease,
)
from breakglass.yamlio.position import Position, Problem
from breakglass.yamlio.shape import (
    BOOLEAN,
    PATH,
    TEXT,
    UNREADABLE,
    Definitions,
    Entry,
    Fields,
    Schema,
    Shape,
    Unreadable,
    by_kind,
    converted,
    entries_of,
    integer,
    list_of,
    mapping_of,
    number,
    optional,
    record,
    required,
    text,
)
from breakglass.yamlio.source import MappingNode, Node

T = TypeVar("T")
Kind: TypeAlias = Literal["cluster", "host", "secret"]

CREDENTIAL_HEADERS = frozenset(
    {"authorization", "proxy-authorization", "cookie", "x-vault-token", "x-api-key"}
)
"""Headers, in lower case, whose value is a secret."""


@dataclass(frozen=True, slots=True)
class Reference:
    """One part of the site naming another."""

    kind: Kind
    name: str
    position: Position


@dataclass(frozen=True, slots=True)
class Part(Generic[T]):
    """A cluster, host, endpoint or secret, and the others that it names."""

    value: T
    references: tuple[Reference, ...] = ()


@dataclass(frozen=True, slots=True)
class Parts(Generic[T]):
    """All parts of one kind. `names` are also those of parts that could not be read."""

    entries: tuple[Entry[Part[T]], ...] = ()
    names: frozenset[str] = frozenset()

    def references(self) -> Iterator[Reference]:
        for entry in self.entries:
            yield from entry.value.references


def parts_of(part: Shape[Part[T]], key: Shape[str] = SITE_NAME) -> Shape[Parts[T]]:
    def parts(entries: tuple[Entry[Part[T]], ...], node: Node, problems: list[Problem]) -> Parts[T]:
        assert isinstance(node, MappingNode)
        return Parts(entries, frozenset(name.text for name, _ in node.entries))

    return converted(entries_of(part, key=key), parts)


def _reference(kind: Kind, name: Shape[str] = SITE_NAME) -> Shape[Reference]:
    return converted(name, lambda named, node, problems: Reference(kind, named, node.position))


def _given(*references: Reference | None) -> tuple[Reference, ...]:
    return tuple(reference for reference in references if reference is not None)


def _url(url: str, node: Node, problems: list[Problem]) -> str | Unreadable:
    try:
        parts = urlsplit(url)
        wrong = "it has no host" if not parts.hostname else ""
        if parts.port == 0:
            wrong = "port 0 is none"
    except ValueError as error:
        problems.append(Problem(node.position, f"{url[:80]!r} is not a URL: {error}"))
        return UNREADABLE
    if parts.username is not None:
        wrong = "a URL holds no login; use `basic` with the name of a secret"
    if wrong:
        problems.append(Problem(node.position, f"not a URL that can be used: {wrong}"))
        return UNREADABLE
    return url


_URL = converted(text("an http or https URL without query", pattern=r"https?://[^\s?#]+"), _url)


def _address(written: str, node: Node, problems: list[Problem]) -> str | Unreadable:
    try:
        ipaddress.ip_address(written)
    except ValueError:
        message = f"{written[:80]!r} is not an IP address; a pinned address must need no DNS"
        problems.append(Problem(node.position, message))
        return UNREADABLE
    return written


_NAMESPACE = text("a namespace", pattern=r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_PORT = integer(1, 65535)

# Clusters ------------------------------------------------------------------------------------------------

_KUBECONFIG = optional("kubeconfig", PATH, help="Otherwise `KUBECONFIG` or ~/.kube/config, as kubectl does.")
_CONTEXT = optional("context", TEXT, help="The context; otherwise the kubeconfig's current one.")
_SERVER = optional("server", _URL, help="In place of the kubeconfig's, for example an IP when DNS is down.")
_IMPERSONATE = optional("impersonate", TEXT, help="The user to act as.")
_PROXY = optional(
    "proxy",
    text("a proxy's URL without a login", pattern=r"(https?|socks5h?)://[^\s/?#@]+/?"),
    help="Its URL.",
)
_CLUSTER_TLS = optional(
    "verify_tls",
    BOOLEAN,
    default=True,
    help="false: a kubeconfig with insecure-skip-tls-verify may be used, and whoever answers is trusted.",
)


def _cluster(given: Fields) -> Part[Cluster]:
    if not given[_CLUSTER_TLS]:
        message = "verify_tls: false trusts whoever answers; put the cluster's CA into the kubeconfig instead"
        given.problems.append(Problem(given.position_of(_CLUSTER_TLS), message, warning=True))
    return Part(
        Cluster(
            "",
            given[_KUBECONFIG],
            given[_CONTEXT],
            given[_SERVER],
            given[_IMPERSONATE],
            given[_PROXY],
            given[_CLUSTER_TLS],
        )
    )


CLUSTER = record(
    "cluster",
    (_KUBECONFIG, _CONTEXT, _SERVER, _IMPERSONATE, _PROXY, _CLUSTER_TLS),
    _cluster,
    help="A Kubernetes API.",
)

# Hosts ---------------------------------------------------------------------------------------------------

_ADDRESS_TEXT = text("a host name or an IP address", pattern=r"[A-Za-z0-9_:][A-Za-z0-9_.:%-]*")
_HOST_REFERENCE = _reference("host")
_ADDRESS = required(
    "address", _ADDRESS_TEXT, instead="", help="An IP address, a name, or a Host of ~/.ssh/config."
)
_HOST_PORT = optional("port", _PORT)
_USER = optional("user", text("a user name", pattern=r"[^\s-]\S*"))
_IDENTITY = optional("identity", PATH, help="The private key; only it is offered.")
_CERTIFICATE = optional("certificate", PATH, help="The SSH certificate that goes with it.")
_JUMP = optional(
    "jump",
    by_kind(
        "the name of a host, or a list of them",
        scalar=converted(_HOST_REFERENCE, lambda reference, node, problems: (reference,)),
        sequence=list_of(_HOST_REFERENCE),
    ),
    default=(),
    help="Hosts of this site to go through, nearest first.",
)
_KNOWN_HOSTS = optional("known_hosts", PATH, help="In place of ~/.ssh/known_hosts.")
_SSH_CONFIG = optional("ssh_config", PATH, help="In place of ~/.ssh/config.")
_FORCED = optional("forced_command", BOOLEAN, default=False, help="It takes one bare verb and nothing else.")
_RATE = optional(
    "connections_per_minute", number(0.1, 6000), default=6.0, help="New connections that it accepts a minute."
)
_PASSPHRASE = optional(
    "passphrase", _reference("secret", IDENTIFIER), help="The name of the secret that opens an encrypted key."
)


def _host(given: Fields) -> Part[Host]:
    passphrase = given[_PASSPHRASE]
    host = Host(
        "",
        given[_ADDRESS],
        given[_HOST_PORT],
        given[_USER],
        given[_IDENTITY],
        given[_CERTIFICATE],
        tuple(reference.name for reference in given[_JUMP]),
        given[_KNOWN_HOSTS],
        given[_SSH_CONFIG],
        given[_FORCED],
        given[_RATE],
        passphrase.name if passphrase is not None else None,
    )
    return Part(host, (*given[_JUMP], *_given(passphrase)))


HOST = by_kind(
    "an address, or a mapping with one",
    scalar=converted(_ADDRESS_TEXT, lambda address, node, problems: Part(Host("", address))),
    mapping=record(
        "host",
        (
            *(_ADDRESS, _HOST_PORT, _USER, _IDENTITY, _CERTIFICATE, _JUMP),
            *(_KNOWN_HOSTS, _SSH_CONFIG, _FORCED, _RATE, _PASSPHRASE),
        ),
        _host,
        help="A machine reached by SSH. What is left out comes from ~/.ssh/config.",
    ),
)

# Endpoints -----------------------------------------------------------------------------------------------

_SECRET_REFERENCE = _reference("secret", IDENTIFIER)
_CLUSTER_REFERENCE = _reference("cluster")
_FORWARD_CLUSTER = required("cluster", _CLUSTER_REFERENCE)
_FORWARD_NAMESPACE = required("namespace", _NAMESPACE)
_TARGET = required(
    "target", text("svc/NAME or pod/NAME", pattern=r"(svc|pod)/[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
)
_FORWARD_PORT = required("port", _PORT, help="The port of the service or pod.")
_FORWARD = optional(
    "forward",
    record(
        "port-forward",
        (_FORWARD_CLUSTER, _FORWARD_NAMESPACE, _TARGET, _FORWARD_PORT),
        lambda given: Part(
            PortForward(
                given[_FORWARD_CLUSTER].name, given[_FORWARD_NAMESPACE], given[_TARGET], given[_FORWARD_PORT]
            ),
            (given[_FORWARD_CLUSTER],),
        ),
    ),
    help="Reach it through the Kubernetes API, past a broken ingress or login page.",
)
_LEASE_NAMESPACE = optional("namespace", _NAMESPACE, default="default")
LEASE = record(
    "lease",
    (_FORWARD_CLUSTER, _LEASE_NAMESPACE),
    lambda given: Part(
        SharedLease(given[_FORWARD_CLUSTER].name, given[_LEASE_NAMESPACE]), (given[_FORWARD_CLUSTER],)
    ),
)
_BASIC_USER = required("user", TEXT)
_BASIC_PASSWORD = required("password", _SECRET_REFERENCE, help="The name of a secret.")
_BASIC = optional(
    "basic",
    record(
        "basic login",
        (_BASIC_USER, _BASIC_PASSWORD),
        lambda given: Part((given[_BASIC_USER], given[_BASIC_PASSWORD].name), (given[_BASIC_PASSWORD],)),
    ),
)
_BEARER = optional("bearer", _SECRET_REFERENCE, help="The name of a secret.")
_ENDPOINT_URL = required("url", _URL, instead="", help="Its URL; a step's path is put after it.")
_RESOLVE = optional(
    "resolve", converted(TEXT, _address), help="The IP address to connect to, as `curl --resolve` pins it."
)
_CA = optional("ca", PATH, help="Certificates to trust in place of the system's, PEM.")
_VERIFY_TLS = optional("verify_tls", BOOLEAN, default=True, help="false: trust whoever answers.")
_CLIENT_CERTIFICATE = optional("client_certificate", PATH, help="PEM; it may hold the key as well.")
_CLIENT_KEY = optional("client_key", PATH, help="PEM, without a passphrase.")
_HEADERS = optional(
    "headers",
    mapping_of(
        text("a value of one line", pattern=r"[^\r\n\x00]*", may_be_empty=True, as_written=True),
        key=text("a header's name", pattern=r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"),
    ),
    default=dict[str, str](),
    help="Sent with each request. No secrets.",
)


def _endpoint(given: Fields) -> Part[Endpoint]:
    basic, forward, bearer = given[_BASIC], given[_FORWARD], given[_BEARER]
    endpoint = Endpoint(
        "",
        given[_ENDPOINT_URL],
        given[_RESOLVE],
        given[_CA],
        given[_VERIFY_TLS],
        given[_CLIENT_CERTIFICATE],
        given[_CLIENT_KEY],
        given[_HEADERS],
        bearer.name if bearer is not None else None,
        basic.value if basic is not None else None,
        forward.value if forward is not None else None,
    )
    if given.has(_CLIENT_KEY) and not given.has(_CLIENT_CERTIFICATE):
        given.problem(given.position_of(_CLIENT_KEY), "a client_key needs its client_certificate")
    if given.has(_RESOLVE) and given.has(_FORWARD):
        given.problem(given.position_of(_RESOLVE), "a port-forward has its own address; leave `resolve` out")
    given.problems.extend(_doubts(given, endpoint))
    return Part(
        endpoint, (*_given(bearer), *(basic or _NOTHING).references, *(forward or _NOTHING).references)
    )


_NOTHING = Part(None)


def _doubts(given: Fields, endpoint: Endpoint) -> Iterator[Problem]:
    """What is allowed and rarely wise."""
    if not endpoint.verify_tls:
        message = "verify_tls: false trusts whoever answers; give the endpoint's `ca` instead"
        yield Problem(given.position_of(_VERIFY_TLS), message, warning=True)
    for name in endpoint.headers:
        if name.lower() in CREDENTIAL_HEADERS:
            message = f"{name} looks like a secret, which would be in the clear here; use `bearer` or `basic`"
            yield Problem(given.position_of(_HEADERS), message, warning=True)
    login = endpoint.bearer or endpoint.basic
    if login and endpoint.url.startswith("http:") and endpoint.forward is None and not _on_loopback(endpoint):
        message = "the secret would cross the network in the clear; use https, or a port-forward"
        yield Problem(given.position_of(_ENDPOINT_URL), message, warning=True)


def _on_loopback(endpoint: Endpoint) -> bool:
    host = endpoint.resolve or urlsplit(endpoint.url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


ENDPOINT = record(
    "endpoint",
    (
        *(_ENDPOINT_URL, _RESOLVE, _CA, _VERIFY_TLS, _CLIENT_CERTIFICATE, _CLIENT_KEY),
        *(_HEADERS, _BEARER, _BASIC, _FORWARD),
    ),
    _endpoint,
    at_most_one_of=(_BEARER, _BASIC),
    help="An HTTP service.",
)

# Secrets -------------------------------------------------------------------------------------------------


def _only(secret: Secret, *references: Reference) -> Part[Secret]:
    return Part(secret, references)


_ENV = optional(
    "env",
    converted(
        text("a variable's name", pattern=r"[A-Za-z_][A-Za-z0-9_]*"),
        lambda variable, node, problems: _only(EnvironmentSecret(variable)),
    ),
    help="A variable of the environment.",
)
_FILE = optional(
    "file",
    converted(PATH, lambda path, node, problems: _only(FileSecret(path))),
    help="Its content, without the last line break.",
)
_COMMAND = optional(
    "command",
    converted(
        list_of(text("a word", as_written=True), "a list of words, the program first", minimum=1),
        lambda argv, node, problems: _only(CommandSecret(argv)),
    ),
    help="What a program writes to standard output; no shell in between.",
)
_SERVICE = required("service", TEXT)
_ACCOUNT = required("account", TEXT)
_KEYRING = optional(
    "keyring",
    record(
        "keyring entry",
        (_SERVICE, _ACCOUNT),
        lambda given: _only(KeyringSecret(given[_SERVICE], given[_ACCOUNT])),
    ),
    help="An entry of the desktop's keyring.",
)
_SECRET_CLUSTER = required("cluster", _CLUSTER_REFERENCE)
_SECRET_NAMESPACE = required("namespace", _NAMESPACE)
_SECRET_NAME = required("name", TEXT)
_SECRET_KEY = required("key", TEXT)
_KUBERNETES = optional(
    "kubernetes",
    record(
        "Kubernetes Secret",
        (_SECRET_CLUSTER, _SECRET_NAMESPACE, _SECRET_NAME, _SECRET_KEY),
        lambda given: _only(
            KubernetesSecret(
                given[_SECRET_CLUSTER].name,
                given[_SECRET_NAMESPACE],
                given[_SECRET_NAME],
                given[_SECRET_KEY],
            ),
            given[_SECRET_CLUSTER],
        ),
    ),
    help="One key of a Secret of a cluster.",
)
_PROMPT = optional(
    "prompt",
    converted(TEXT, lambda words, node, problems: _only(PromptSecret(words))),
    help="Ask the operator, in these words, when it is needed.",
)
_SECRET_KINDS = (_ENV, _FILE, _COMMAND, _KEYRING, _KUBERNETES, _PROMPT)


class _Secret(Shape[Part[Secret]]):
    """A mapping that says where the secret is. One that is written out is refused, and not repeated in the
    message."""

    _PLACE = record(
        "secret",
        _SECRET_KINDS,
        lambda given: next((found for kind in _SECRET_KINDS if (found := given[kind])), UNREADABLE),
        one_of=_SECRET_KINDS,
        help="Where a secret is found when it is needed.",
    )

    def read(self, node: Node, problems: list[Problem]) -> Part[Secret] | Unreadable:
        if isinstance(node, MappingNode):
            return self._PLACE.read(node, problems)
        message = (
            "a secret is not written here; say where it is: {env: NAME}, {file: PATH}, {command: [...]}, …"
        )
        problems.append(Problem(node.position, message))
        return UNREADABLE

    def schema(self, definitions: Definitions) -> Schema:
        return self._PLACE.schema(definitions)


SECRET: Shape[Part[Secret]] = _Secret()
