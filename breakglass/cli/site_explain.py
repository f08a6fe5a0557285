"""Say how the program would get into a host or a cluster, or which file a program of this machine is, and
from which file and line each value comes.

For a host the names are those of `ssh -G`, which is asked where `ssh` is installed: so the commands of
`Match exec` run, and names are looked up where CanonicalizeHostname says so. Nothing is connected to.

examples:
  breakglass site explain pve --site site.yaml
  breakglass site explain main --site site.yaml --json
  breakglass site explain vault --site site.yaml
"""

import json
from argparse import ArgumentParser, Namespace
from pathlib import Path

from breakglass.errors import UserError
from breakglass.exit_codes import ExitCode
from breakglass.site.load import load_site
from breakglass.site.model import Site
from breakglass.transport.explained import Fact, Places
from breakglass.transport.sanitize import visible_line
from breakglass.values import Json
from breakglass.yamlio.source import MappingNode, parse


class NotOfTheSiteError(UserError):
    """The site has no host, cluster or program of a name."""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("name", help="a host, a cluster or a program of the site")
    parser.add_argument("--site", type=Path, required=True, help="the site file")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(run_action=run)


def run(arguments: Namespace) -> int:
    site = load_site(arguments.site)
    explained = _explained(site, arguments.name, arguments.site)
    if not explained:
        names = (*site.hosts, *site.clusters, *site.local.programs)
        raise NotOfTheSiteError(site.lacks("host, cluster or program", arguments.name, names))
    for kind, facts in explained:
        if arguments.json:
            print(json.dumps(_json(kind, arguments.name, site, facts), ensure_ascii=False))
        else:
            print(f"{kind} {arguments.name}")
            print("\n".join(visible_line(line) for line in _lines(facts)))
    return ExitCode.DONE


def _explained(site: Site, name: str, file: Path) -> list[tuple[str, list[Fact]]]:
    """What there is of a name: mostly one, a host, a cluster or a program."""
    found: list[tuple[str, list[Fact]]] = []
    if name in site.hosts:
        from breakglass.transport.ssh.explain import explain_host

        places = _places(site, file, "hosts", name)
        found.append(("host", explain_host(site, site.hosts[name], places)))
    if name in site.clusters:
        from breakglass.transport.kubectl.explain import explain_cluster

        places = _places(site, file, "clusters", name)
        found.append(("cluster", explain_cluster(site.clusters[name], places)))
    if name in site.local.programs:
        from breakglass.transport.local import explain_program

        places = _places(site, file, "local", "programs")
        found.append(("program", explain_program(name, site.local, places)))
    return found


def _places(site: Site, file: Path, kind: str, name: str) -> Places:
    """Where the keys of a host or a cluster stand in the site file."""
    root = parse(site.source, file)
    entries = root.get(kind) if isinstance(root, MappingNode) else None
    entry = entries.get(name) if isinstance(entries, MappingNode) else None

    def place(key: str) -> str:
        node = entry.get(key) if isinstance(entry, MappingNode) else entry
        position = (node or entry or root).position
        return f"{position.file}:{position.line}"

    return place


def _json(kind: str, name: str, site: Site, facts: list[Fact]) -> dict[str, Json]:
    values: dict[str, Json] = {}
    places: dict[str, Json] = {}
    for fact in facts:
        values[fact.name] = fact.value if isinstance(fact.value, str) else list(fact.value)
        if any(fact.place):
            places[fact.name] = fact.place if isinstance(fact.place, str) else list(fact.place)
    return {"site": site.name, kind: name, **values, "from": places}


def _lines(facts: list[Fact]) -> list[str]:
    wide = max(len(fact.name) for fact in facts)
    lines: list[str] = []
    for fact in facts:
        for value, place, used in fact.rows:
            shown = value if value == used else f"{value} (that is {used})"
            lines.append(f"  {fact.name:<{wide}}  {shown}" + (f"  [{place}]" if place else ""))
    return lines
