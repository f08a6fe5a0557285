"""Reading a scenario from YAML.

A scenario file, in short (docs/reference/scenario.md has all of it):

    scenario: recorded-incident
    title: …
    summary: …
    runbook: outpost-shm-purge
    speed: 10                       simulated seconds in a real one
    site: {variables: {…}, secrets: {…}}
    world: {shm_used: 65536}        variables, which rules change
    kubernetes: {main: {objects: […], pods: […], users: […], denials: […], faults: […]}}
    exec: [{pod: {labels: {…}}, match: df -k /dev/shm, reply: {stdout: …, exit: 0}}]
    logs: [{pod: {…}, when: world.full, lines: [{text: …, ago: 30s}]}]
    hosts: {pve: {commands: [{match: "qm reset {vmid}", reply: "", set: {…}}], files: {…}}}
    local: {programs: [vault], commands: [{match: vault status, reply: {exit: 2}}]}
    endpoints: {app: {url: https://app.example, routes: [{path: /, reply: 302}]}}
    rules: [{on: kubernetes.delete pods, after: 8s, set: {shm_used: 0}, say: …}]
    traps: [{name: …, title: …, on: …, say: …, caught: review, take: [{kubectl: …, at: purge}]}]
    recovered: world.shm_used < 1000
    walk: {choose: {fix: later}}
    expect: {result: recovered, reaches: [purge]}

A scenario may begin with `base: OTHER.yaml`, a scenario in the same folder: what it says holds, except where
this file says otherwise. Mappings are merged key by key, lists and values are replaced.

Values are plain JSON in which `${{ expression }}` is put in; `when`, `each`, `reachable` and `recovered` are
expressions. What they can see is in `breakglass.rehearsal.world`, and what `on` can name in
`breakglass.rehearsal.story`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TypeVar, cast

from breakglass.rehearsal.scenario import Scenario
from breakglass.rehearsal.world import NAMES
from breakglass.runbook.expression import Expression, check, expect
from breakglass.values import Json
from breakglass.yamlio.json_schema import schema_of
from breakglass.yamlio.position import InvalidFileError, Problem
from breakglass.yamlio.record import shape_of
from breakglass.yamlio.shape import Unreadable
from breakglass.yamlio.source import MappingNode, Node, ScalarNode, compose
from breakglass.yamlio.text_file import ReadText, read_trusted_text

T = TypeVar("T")

MOST_BASES = 4
"""Scenarios in a row, each based on the next."""


def load_scenario(path: Path, *, read: ReadText = read_trusted_text) -> Scenario:
    """A scenario from its file. Raises InvalidFileError with every problem found, each with its place.

    `read` gives the texts of the file and of its bases.
    """
    problems: list[Problem] = []
    node = _with_base(compose(read(path), path, problems), path, problems, read, MOST_BASES)
    scenario = shape_of(Scenario).read(node, problems) if node is not None else None
    if isinstance(scenario, Scenario):
        problems += _wrong_expressions(scenario)
        problems += _wrong_references(scenario)
    if problems or scenario is None or isinstance(scenario, Unreadable):
        raise InvalidFileError(problems)
    return scenario


def _with_base(
    node: Node | None, path: Path, problems: list[Problem], read: ReadText, left: int
) -> Node | None:
    """The tree with what it leaves out taken from its base."""
    base = node.get("base") if isinstance(node, MappingNode) else None
    if not isinstance(node, MappingNode) or base is None:
        return node
    if not isinstance(base, ScalarNode) or not base.text or Path(base.text).name != base.text:
        problems.append(Problem(base.position, "expected the name of a file in the same folder"))
        return node
    if left == 0:
        problems.append(Problem(base.position, f"more than {MOST_BASES} scenarios, each based on another"))
        return node
    other = path.parent / base.text
    try:
        text = read(other)
    except InvalidFileError as error:
        reasons = "; ".join(problem.message for problem in error.problems)
        problems.append(Problem(base.position, f"{base.text}: {reasons}"))
        return node
    below = _with_base(compose(text, other, problems), other, problems, read, left - 1)
    return node if below is None else _merged(below, node)


def _merged(below: Node, above: Node) -> Node:
    if not isinstance(below, MappingNode) or not isinstance(above, MappingNode):
        return above
    upper = {key.text: (key, value) for key, value in above.entries}
    entries: list[tuple[ScalarNode, Node]] = []
    for key, value in below.entries:
        found = upper.pop(key.text, None)
        entries.append((key, value) if found is None else (found[0], _merged(value, found[1])))
    return MappingNode((*entries, *upper.values()), above.position)


def scenario_schema() -> dict[str, Json]:
    """The JSON Schema of a scenario file. One with a `base` may leave out what that one says."""
    schema = schema_of(shape_of(Scenario), "A breakglass scenario")
    definitions = schema["$defs"]
    assert isinstance(definitions, dict)
    scenario = definitions["scenario"]
    assert isinstance(scenario, dict)
    needed = scenario.pop("required")
    scenario["anyOf"] = [{"required": needed}, {"required": ["base", "scenario"]}]
    return schema


def _wrong_expressions(scenario: Scenario) -> Iterator[Problem]:
    expect(NAMES)
    for expression in _expressions(scenario):
        yield from check(expression, NAMES)


def _expressions(value: object) -> Iterator[Expression]:
    """Every expression anywhere inside of a value."""
    yield from instances_in(value, Expression)


def instances_in(value: object, kind: type[T]) -> Iterator[T]:
    """Every value of a type anywhere inside of a value, not looking inside of those found."""
    if isinstance(value, kind):
        yield value
    elif isinstance(value, Mapping):
        yield from _inside(cast("Mapping[object, object]", value).values(), kind)
    elif isinstance(value, tuple | list):
        yield from _inside(cast("tuple[object, ...]", value), kind)
    elif is_dataclass(value):
        yield from _inside((getattr(value, field.name) for field in fields(value)), kind)


def _inside(values: Iterable[object], kind: type[T]) -> Iterator[T]:
    for value in values:
        yield from instances_in(value, kind)


def _wrong_references(scenario: Scenario) -> Iterator[Problem]:
    """Names of secrets, endpoints and clusters that the scenario does not have, and names used twice."""
    start = scenario.recovered.position
    for name, endpoint in scenario.endpoints.items():
        wanted = endpoint.bearer or (endpoint.basic.password if endpoint.basic else None)
        if wanted is not None and wanted not in scenario.site.secrets:
            yield Problem(start, f"endpoint {name} uses the secret {wanted!r}, which `site.secrets` lacks")
    seen: set[str] = set()
    for rule in [*scenario.traps, *scenario.rules]:
        if rule.name in seen:
            yield Problem(rule.position, f"two rules or traps are called {rule.name!r}")
        seen.add(rule.name)
        for change in rule.effect.objects:
            if change.cluster is None and len(scenario.clusters) != 1:
                yield Problem(change.position, "name the cluster: the scenario does not have exactly one")
            elif change.cluster is not None and change.cluster not in scenario.clusters:
                yield Problem(change.position, f"there is no cluster {change.cluster!r}")
        for move in rule.effect.registry:
            there = scenario.endpoints.get(move.endpoint)
            if there is None or there.registry is None:
                yield Problem(move.position, f"endpoint {move.endpoint!r} is not a registry")
