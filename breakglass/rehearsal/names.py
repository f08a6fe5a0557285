"""Whether the names in a scenario are those of its runbook and of its own world: steps, options, inputs,
events, variables, hosts and endpoints. Each problem has its place, and the name that was probably meant."""

from collections.abc import Iterable, Iterator

from breakglass.rehearsal.cluster import kinds_of
from breakglass.rehearsal.load import instances_in
from breakglass.rehearsal.scenario import Scenario, Walk
from breakglass.rehearsal.spec.effects import Effect
from breakglass.rehearsal.traps import (
    AnswerMove,
    ChooseMove,
    HttpMove,
    InputMove,
    JumpMove,
    KubectlMove,
    LocalMove,
    Rule,
    SshMove,
    Timed,
    Trap,
)
from breakglass.runbook.actions import AskAction, ChooseAction, ManualAction
from breakglass.runbook.model import Runbook
from breakglass.simulator.kubernetes.kinds import BUILT_IN
from breakglass.yamlio.position import InvalidFileError, Position, Problem
from breakglass.yamlio.shape import meant

CLIENT_VERBS = frozenset({"create", "update", "patch", "delete", "evict", "scale"})
"""What a client does to an object, in the text of an event."""
WORLD_VERBS = frozenset({"added", "modified", "removed"})
"""What becomes of an object, whoever did it."""
EVENTS = frozenset({"time", "world", "kubernetes.VERB", "ssh", "local", "exec", "http", "manual"})
"""The first words of an event's text, as `breakglass.rehearsal.story` describes them."""
_OPEN = ("*", "{")
"""In a word of a pattern: it may stand for more than itself."""


def name_problems(scenario: Scenario, runbook: Runbook) -> list[Problem]:
    """Every name in a scenario that neither its runbook nor its own world has, in the order of the file."""
    problems = [*_runbook(scenario, runbook), *_walk(scenario.walk, runbook)]
    steps = [step.id for step in runbook.steps]
    for list_name in ("reaches", "never"):
        for step in getattr(scenario.expect, list_name):
            problems += _known(
                step, steps, scenario.expect.written.at(list_name, step), f"{list_name}: there is no step"
            )
    for rule in [*scenario.rules, *scenario.traps]:
        problems += _events(rule, scenario, steps)
    for trap in scenario.traps:
        problems += _trap(trap, scenario, runbook)
    problems += _variables(scenario)
    return sorted(set(problems))


def named_well(scenario: Scenario, runbook: Runbook) -> Scenario:
    """The scenario, whose names are all there. Raises InvalidFileError with every one that is not."""
    wrong = [each for each in name_problems(scenario, runbook) if not each.warning]
    if wrong:
        raise InvalidFileError(wrong)
    return scenario


def _known(name: str, known: Iterable[str], at: Position, words: str) -> Iterator[Problem]:
    """A problem where a name is none of those that there are."""
    names = list(known)
    if name not in names:
        yield Problem(at, f"{words} {name!r}{meant(name, names)}")


def _runbook(scenario: Scenario, runbook: Runbook) -> Iterator[Problem]:
    if scenario.runbook != runbook.name:
        message = f"this is a scenario of runbook {scenario.runbook!r}, and the runbook is {runbook.name!r}"
        yield Problem(scenario.written.at("runbook"), message)
    uses = runbook.uses
    there = {
        "kubernetes": (uses.clusters, scenario.clusters),
        "hosts": (uses.hosts, scenario.hosts),
        "endpoints": (uses.endpoints, scenario.endpoints),
        "site.variables": (uses.variables, scenario.site.variables),
        "site.secrets": (uses.secrets, scenario.site.secrets),
        "local.programs": (uses.programs, scenario.local.programs if scenario.local is not None else ()),
    }
    for place, (wanted, given) in there.items():
        for name in wanted:
            if name not in given:
                message = f"`{place}` lacks {name!r}, which the runbook uses"
                yield Problem(scenario.written.at("scenario"), message)


def _walk(walk: Walk, runbook: Runbook) -> Iterator[Problem]:
    steps = {step.id: step for step in runbook.steps}
    written = walk.written
    for name in walk.inputs:
        yield from _input(name, runbook, written.name_at("inputs", name))
    for step, option in walk.choose.items():
        yield from _choice(step, option, runbook, written.name_at("choose", step), written.at("choose", step))
    for place, kind, words, named in (
        ("ask", AskAction, "asks for a value", walk.ask),
        ("manual", ManualAction, "is for a person to do", walk.manual),
    ):
        there = [name for name, step in steps.items() if isinstance(step.action, kind)]
        for step in named:
            yield from _known(
                step, there, written.name_at(place, step), f"{place}: no step that {words} is called"
            )
    for step, way in walk.on_failure.items():
        yield from _known(step, steps, written.name_at("on_failure", step), "on_failure: there is no step")
        verb, _, target = way.partition(" ")
        if verb == "jump":
            at = written.at("on_failure", step, "jump")
            yield from _known(target, steps, at, "jump: there is no step")


def _input(name: str, runbook: Runbook, at: Position) -> Iterator[Problem]:
    yield from _known(name, [each.name for each in runbook.inputs], at, "the runbook has no input")


def _choice(step: str, option: str, runbook: Runbook, at: Position, option_at: Position) -> Iterator[Problem]:
    choices = {each.id: each.action for each in runbook.steps if isinstance(each.action, ChooseAction)}
    yield from _known(step, choices, at, "choose: no step that offers ways is called")
    if step in choices:
        options = [each.name for each in choices[step].options]
        yield from _known(option, options, option_at, f"choose: step {step} has no way")


def _trap(trap: Trap, scenario: Scenario, runbook: Runbook) -> Iterator[Problem]:
    steps = [step.id for step in runbook.steps]
    if trap.refused_at is not None:
        yield from _known(
            trap.refused_at, steps, trap.written.at("refused_at"), "refused_at: there is no step"
        )
    elif trap.caught == "guard":
        message = f"trap {trap.name}: a guard catches it, so say with `refused_at` which step must refuse it"
        yield Problem(trap.written.at("caught"), message)
    if not trap.take:
        message = f"trap {trap.name}: say with `take` how to step into it, or no test ever will"
        yield Problem(trap.position, message, warning=True)
    for timed in trap.take:
        if timed.at is not None:
            yield from _known(timed.at, steps, timed.written.at("at"), "at: there is no step")
        yield from _move(timed, scenario, runbook, steps)


def _move(timed: Timed, scenario: Scenario, runbook: Runbook, steps: list[str]) -> Iterator[Problem]:
    written = timed.written
    match timed.move:
        case JumpMove(step=step):
            yield from _known(step, steps, written.at("jump"), "jump: there is no step")
        case ChooseMove(step=step, option=option):
            yield from _choice(
                step, option, runbook, written.name_at("choose", step), written.at("choose", step)
            )
        case AnswerMove(step=step):
            asking = [each.id for each in runbook.steps if isinstance(each.action, AskAction)]
            at = written.name_at("answer", step)
            yield from _known(step, asking, at, "answer: no step that asks for a value is called")
        case InputMove(name=name):
            yield from _input(name, runbook, written.name_at("input", name))
        case KubectlMove(cluster=str(cluster)):
            at = written.at("kubectl", "cluster")
            yield from _known(cluster, scenario.clusters, at, "kubectl: there is no cluster")
        case SshMove(host=host):
            yield from _known(host, scenario.hosts, written.at("ssh", "host"), "ssh: there is no host")
        case HttpMove(endpoint=endpoint, method=method):
            at = written.at("http", method.lower())
            yield from _known(endpoint, scenario.endpoints, at, "http: there is no endpoint")
        case LocalMove() if scenario.local is None:
            yield Problem(written.at("local"), "local: the scenario has no `local` to answer for programs")
        case _:
            pass


def _events(rule: Rule, scenario: Scenario, steps: list[str]) -> Iterator[Problem]:
    """Events under `on` that never happen. A regular expression is taken at its word."""
    for pattern in rule.on:
        if not pattern.is_literal:
            continue
        first, *rest = pattern.source.split() or [""]
        known: Iterable[str] = ()
        message = ""
        match [first, *rest]:
            case ["time" | "world"]:
                continue
            case [kind, name, *_] if kind in ("ssh", "manual") and not name.startswith(_OPEN):
                known = scenario.hosts if kind == "ssh" else steps
                message = "on: there is no host" if kind == "ssh" else "on: there is no step"
            case ["http", _, name, *_]:
                known, message = scenario.endpoints, "on: there is no endpoint"
            case [verb, *_] if verb.startswith("kubernetes."):
                yield from _kubernetes_event(verb, rest, scenario, rule.on_at)
                continue
            case [kind, *_] if kind in ("ssh", "manual", "local", "exec", "http") or any(
                o in kind for o in _OPEN
            ):
                continue
            case _:
                yield from _known(first, EVENTS, rule.on_at, "on: nothing happens that is called")
                continue
        name = rest[1] if first == "http" else rest[0]
        if not any(each in name for each in _OPEN):
            yield from _known(name, known, rule.on_at, message)


def _kubernetes_event(verb: str, rest: list[str], scenario: Scenario, at: Position) -> Iterator[Problem]:
    word = verb.partition(".")[2]
    if not any(each in word for each in _OPEN):
        yield from _known(word, CLIENT_VERBS | WORLD_VERBS, at, "on: there is no verb")
    plural = rest[0] if rest else ""
    if plural and not any(each in plural for each in _OPEN):
        plurals = {kind.plural for kind in BUILT_IN}
        plurals |= {kind.plural for spec in scenario.clusters.values() for kind in kinds_of(spec)}
        yield from _known(plural.partition("/")[0].partition(".")[0], plurals, at, "on: there are no")


def _variables(scenario: Scenario) -> Iterator[Problem]:
    """Variables that are set and that the world does not begin with."""
    registries = [each.registry.variable for each in scenario.endpoints.values() if each.registry is not None]
    known = {*scenario.world, *registries}
    for effect in instances_in(scenario, Effect):
        for assignment in effect.set:
            first = assignment.path[0]
            if first.is_literal:
                name = "".join(part for part in first.parts if isinstance(part, str))
                yield from _known(name, known, assignment.position, "set: `world` does not begin with")
