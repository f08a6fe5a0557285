"""Reading a site from YAML.

A site file, in short (docs/reference/site.md has all of it, and `runbooks/example-site.yaml` is one):

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

A secret is never written here, only where it is found. Paths begin at the folder of the file.
"""

from dataclasses import replace
from pathlib import Path

from breakglass.site.model import Site
from breakglass.values import Json
from breakglass.yamlio.json_schema import schema_of
from breakglass.yamlio.position import InvalidFileError, Problem
from breakglass.yamlio.record import shape_of
from breakglass.yamlio.shape import Unreadable
from breakglass.yamlio.source import compose
from breakglass.yamlio.text_file import read_trusted_text


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
    site = shape_of(Site).read(tree, problems) if tree is not None else None
    wrong = any(not problem.warning for problem in problems)
    return (None if wrong or isinstance(site, Unreadable) else site), sorted(set(problems))


def site_schema() -> dict[str, Json]:
    """JSON Schema, draft 2020-12. It knows keys and types; which names are there, only `lint` knows."""
    return schema_of(shape_of(Site), "A breakglass site")
