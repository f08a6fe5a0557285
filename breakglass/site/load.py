"""Reading a site from YAML.

A site file, in short (`breakglass schema site` has all of it, and `runbooks/example-site.yaml` is one):

    site: home-lab
    clusters: {main: {context: admin@home-lab, server: "https://10.0.20.100:6443"}}
    hosts:
      pve: {address: 192.168.1.127, user: root}
      node1: {address: 10.0.20.101, user: ops, jump: pve}
      node2: 10.0.20.102
    endpoints:
      vault: {url: "https://vault.lab.example", resolve: 10.0.20.200, ca: ~/ca.crt, bearer: vault_token}
    secrets:
      vault_token: {env: VAULT_TOKEN}
    variables: {nodes: [node1, node2]}
    reads: ["raidctl status *", "/opt/lab/bin/check --verbose"]

A secret is never written here, only where it is found. Paths begin at the folder of the file. Every problem
is found in one reading, each with its place.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from breakglass.runbook.actions import IDENTIFIER, SITE_NAME
from breakglass.site.model import Cluster, Endpoint, Host, Secret, Site
from breakglass.site.reads import HELP as READS_HELP
from breakglass.site.reads import READS
from breakglass.site.shapes import CLUSTER, ENDPOINT, HOST, LEASE, SECRET, Part, Parts, Reference, parts_of
from breakglass.values import Json
from breakglass.yamlio.position import InvalidFileError, Problem
from breakglass.yamlio.shape import (
    BOOLEAN,
    JSON,
    PATH,
    TEXT,
    Entry,
    Fields,
    Unreadable,
    mapping_of,
    meant,
    optional,
    record,
    required,
    schema_of,
)
from breakglass.yamlio.source import compose
from breakglass.yamlio.text_file import read_trusted_text

_Named = TypeVar("_Named", Cluster, Host, Endpoint)

_NO_CLUSTERS: Parts[Cluster] = Parts()
_NO_HOSTS: Parts[Host] = Parts()
_NO_ENDPOINTS: Parts[Endpoint] = Parts()
_NO_SECRETS: Parts[Secret] = Parts()

_NAME = required("site", SITE_NAME, help="The site's name, shown beside everything that is done.")
_DESCRIPTION = optional("description", TEXT, default="")
_PRODUCTION = optional("production", BOOLEAN, default=True, help="Whether real users depend on it.")
_CLUSTERS = optional("clusters", parts_of(CLUSTER), default=_NO_CLUSTERS, help="Kubernetes APIs, by name.")
_HOSTS = optional("hosts", parts_of(HOST), default=_NO_HOSTS, help="Machines reached by SSH, by name.")
_ENDPOINTS = optional("endpoints", parts_of(ENDPOINT), default=_NO_ENDPOINTS, help="HTTP services, by name.")
_SECRETS = optional(
    "secrets",
    parts_of(SECRET, IDENTIFIER),
    default=_NO_SECRETS,
    help="Where secrets are found when they are needed, by name.",
)
_VARIABLES = optional(
    "variables",
    mapping_of(JSON, key=IDENTIFIER),
    default=dict[str, Json](),
    help="What runbooks read as `site.variables`; any data, and no secrets.",
)
_LEASE = optional(
    "lease",
    LEASE,
    help="Live sessions write a Lease here and so see each other; without this, none is written.",
)

_SIGNERS = optional(
    "signers",
    PATH,
    help="Who may give the second word of `approve: 2`: a file in the form of OpenSSH's allowed_signers.",
)
_READS = optional("reads", READS, default=(), help=READS_HELP)


def _site(given: Fields) -> Site:
    given.problems.extend(_unknown_names(given))
    given.problems.extend(_loops(given[_HOSTS].entries))
    return Site(
        name=given[_NAME],
        path=given.position.file,
        description=given[_DESCRIPTION],
        production=given[_PRODUCTION],
        clusters=_named(given[_CLUSTERS]),
        hosts=_named(given[_HOSTS]),
        endpoints=_named(given[_ENDPOINTS]),
        secrets={entry.name: entry.value.value for entry in given[_SECRETS].entries},
        variables=given[_VARIABLES],
        lease=lease.value if (lease := given[_LEASE]) is not None else None,
        signers=given[_SIGNERS],
        reads=given[_READS],
    )


_SITE = record(
    "site",
    (
        *(_NAME, _DESCRIPTION, _PRODUCTION, _CLUSTERS, _HOSTS, _ENDPOINTS, _SECRETS, _VARIABLES),
        *(_LEASE, _SIGNERS, _READS),
    ),
    _site,
    help="Where runbooks run: clusters, hosts, endpoints and secrets.",
)


def load_site(path: Path) -> Site:
    """The site in a file that only its owner may write. Raises InvalidFileError with every problem; warnings
    alone do not stop it."""
    text = read_trusted_text(path)
    site, problems = read_site(text, path)
    if site is None:
        raise InvalidFileError(problems)
    return replace(site, source=text)


def read_site(text: str, path: Path) -> tuple[Site | None, list[Problem]]:
    """The site in a text, and every problem, warnings included, in the order of the file.

    None when any problem is an error. Paths in it begin at the folder of `path`.
    """
    problems: list[Problem] = []
    tree = compose(text, path, problems)
    site = _SITE.read(tree, problems) if tree is not None else None
    wrong = any(not problem.warning for problem in problems)
    return (None if wrong or isinstance(site, Unreadable) else site), sorted(set(problems))


def site_schema() -> dict[str, Json]:
    """JSON Schema, draft 2020-12. It knows keys and types; which names are there, only `lint` knows."""
    return schema_of(_SITE, "A breakglass site")


def _named(parts: Parts[_Named]) -> dict[str, _Named]:
    return {entry.name: replace(entry.value.value, name=entry.name) for entry in parts.entries}


def _unknown_names(given: Fields) -> Iterator[Problem]:
    known = {
        "cluster": given[_CLUSTERS].names,
        "host": given[_HOSTS].names,
        "secret": given[_SECRETS].names,
    }
    parts = (given[_HOSTS], given[_ENDPOINTS], given[_SECRETS])
    references = [reference for part in parts for reference in part.references()]
    lease = given[_LEASE]
    for reference in (*references, *(lease.references if lease is not None else ())):
        names = known[reference.kind]
        if reference.name not in names:
            message = f"the site has no {reference.kind} {reference.name!r}{meant(reference.name, names)}"
            yield Problem(reference.position, message)


def _loops(hosts: tuple[Entry[Part[Host]], ...]) -> Iterator[Problem]:
    """Hosts that are reached through themselves, each loop said once."""
    jumps = {entry.name: entry.value.references for entry in hosts}
    said: set[str] = set()
    for name, references in jumps.items():
        for reference in references:
            way = _way_back(reference.name, name, jumps)
            if way and not said & {name, *way}:
                said |= {name, *way}
                yield Problem(reference.position, f"jump goes in a circle: {' → '.join((name, *way))}")


def _way_back(start: str, goal: str, jumps: Mapping[str, tuple[Reference, ...]]) -> tuple[str, ...]:
    """The names from one host to another along their jumps; empty when none leads there."""
    ways: dict[str, tuple[str, ...]] = {start: (start,)}
    waiting = [start]
    for host in waiting:
        if host == goal:
            return ways[host]
        for reference in jumps.get(host, ()):
            if reference.name not in ways:
                ways[reference.name] = (*ways[host], reference.name)
                waiting.append(reference.name)
    return ()
