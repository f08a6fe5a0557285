"""The example site fits every runbook that ships, whatever they come to use."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from breakglass.engine.session import check_uses
from breakglass.rehearsal.load import load_scenario
from breakglass.runbook.load import load_runbook
from breakglass.site.load import load_site, read_site, site_schema
from breakglass.values import Json
from breakglass.yamlio.shape import plain
from breakglass.yamlio.source import parse
from breakglass.yamlio.text_file import read_text
from tests.runbook.test_json_schema import faults

FOLDER = Path(__file__).parents[2] / "runbooks"
EXAMPLE = FOLDER / "example-site.yaml"
RUNBOOKS = sorted(FOLDER.glob("*/runbook.yaml"))
HOST = re.compile(r"host: ([a-z0-9-]+)")


def named(paths: list[Path]) -> list[str]:
    return [path.parent.name for path in paths]


def test_it_loads_without_even_a_warning() -> None:
    assert read_site(read_text(EXAMPLE), EXAMPLE)[1] == []


def test_it_fits_the_schema() -> None:
    assert list(faults(site_schema(), plain(parse(read_text(EXAMPLE), EXAMPLE)))) == []


def test_there_are_runbooks_to_hold_it_against() -> None:
    assert "outpost-shm-purge" in named(RUNBOOKS)


@pytest.mark.parametrize("path", RUNBOOKS, ids=named(RUNBOOKS))
def test_it_has_what_the_runbook_uses(path: Path) -> None:
    check_uses(load_runbook(path), load_site(EXAMPLE))


@pytest.mark.parametrize("path", RUNBOOKS, ids=named(RUNBOOKS))
def test_it_has_the_hosts_that_the_runbook_names(path: Path) -> None:
    assert set(HOST.findall(read_text(path))) <= set(load_site(EXAMPLE).hosts)


def test_every_node_is_a_host_at_its_address() -> None:
    site = load_site(EXAMPLE)
    nodes = site.variables["nodes"]
    assert isinstance(nodes, list)
    for node in nodes:
        assert isinstance(node, dict)
        assert site.hosts[str(node["name"])].address == node["address"]


@pytest.mark.parametrize("path", RUNBOOKS, ids=named(RUNBOOKS))
def test_its_variables_have_every_part_that_the_recorded_incident_has(path: Path) -> None:
    site = load_site(EXAMPLE)
    recorded = path.parent / "scenarios" / "recorded-incident.yaml"
    for name, value in load_scenario(recorded).site.variables.items():
        assert set(shape(value)) <= set(shape(site.variables.get(name))), name


def shape(value: Json, at: str = "") -> Iterator[str]:
    """The places of a value's parts; all items of a list have one place."""
    yield at
    if isinstance(value, dict):
        for key, part in value.items():
            yield from shape(part, f"{at}.{key}")
    if isinstance(value, list):
        for part in value:
            yield from shape(part, f"{at}[]")


def test_every_address_that_is_needed_first_needs_no_dns() -> None:
    site = load_site(EXAMPLE)
    assert all(re.fullmatch(r"[0-9.]+", host.address) for host in site.hosts.values())
    unpinned = {name for name, each in site.endpoints.items() if each.resolve is None}
    assert unpinned == {"protected-app"}
