"""What happens in a simulated world: what a rule changes, and how a command answers."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from breakglass.rehearsal.patterns import TextPattern
from breakglass.runbook.expression import Expression
from breakglass.runbook.template import CLOSE, OPEN, Template, TemplateTree, moved, parse_template
from breakglass.runbook.written import MAYBE_EMPTY_TEMPLATE, TREE
from breakglass.yamlio.position import InvalidFileError, Position, Problem
from breakglass.yamlio.record import Given, inlined, key, placed, record
from breakglass.yamlio.shape import DURATION, Definitions, Schema, Shape, Unreadable, expected
from breakglass.yamlio.source import MappingNode, Node, ScalarNode

Condition: TypeAlias = Expression | None
"""None always holds."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """`set: {vms.201.status: stopped}`. `path` is split at its dots before anything is put in."""

    path: tuple[Template, ...]
    value: TemplateTree
    position: Position


class _Assignments(Shape[tuple[Assignment, ...]]):
    """`set`: a mapping whose keys are paths with templates in them."""

    what = "a mapping from paths of variables to values"

    def read(self, node: Node, problems: list[Problem]) -> tuple[Assignment, ...] | Unreadable:
        if not isinstance(node, MappingNode):
            return expected(self.what, node, problems)
        assignments: list[Assignment] = []
        for name, entry in node.entries:
            path = _path(name, problems)
            value = TREE.read(entry, problems)
            if path and not isinstance(value, Unreadable):
                assignments.append(Assignment(path, value, name.position))
        return tuple(assignments)

    def schema(self, definitions: Definitions) -> Schema:
        return {"type": "object"}


def _path(name: ScalarNode, problems: list[Problem]) -> tuple[Template, ...]:
    """The parts between dots, those inside of an expression not counted."""
    parts: list[Template] = []
    start = 0
    text = name.text
    try:
        while start <= len(text):
            end = _part_end(text, start)
            if end == start:
                problems.append(Problem(name.position, f"{text!r} has an empty part"))
                return ()
            parts.append(parse_template(text[start:end], moved(name.text_position, text, start)))
            start = end + 1
    except InvalidFileError as error:
        problems.extend(error.problems)
        return ()
    return tuple(parts)


def _part_end(text: str, index: int) -> int:
    while index < len(text) and text[index] != ".":
        if text.startswith(OPEN, index):
            close = text.find(CLOSE, index)
            index = len(text) if close < 0 else close + len(CLOSE)
        else:
            index += 1
    return index


@record("simulated object")
class ObjectName:
    """An object of a simulated cluster."""

    kind: Template = key("A kind such as Pod, or its plural.")
    name: Template = key("Its name.")
    namespace: Template | None = key("Its namespace, where its kind has them.", default=None)


@record("change of an object", exactly_one_of=("create", "patch", "delete"), kw_only=True)
class ObjectChange:
    """One change of a Kubernetes object by the world itself, outside of admission.

    An object that is not there is left alone, and one that is deleted goes at once, whatever its finalizers.
    """

    create: TemplateTree = key("A whole object.", default=None)
    patch: ObjectName | None = key("The object to change.", default=None)
    delete: ObjectName | None = key("The object to take away, at once.", default=None)
    merge: TemplateTree = key("What `patch` changes: a merge patch.", default=None, named="with")
    cluster: str | None = key("The cluster, where there are several.", default=None)
    each: Expression | None = key("A list; the change is made for each `item`.", default=None)
    position: Position = placed()

    def checked(self, given: Given) -> "ObjectChange":
        if self.patch is not None and self.merge is None:
            given.problem(given.position, "a patch needs `with`, what it changes")
        return self


@record("garbage collection")
class GarbageCollection:
    """What a registry's garbage collection takes away."""

    delete_untagged: bool = key("Also unlink the children of indexes, as registry 2.8 does.", default=False)
    dry_run: bool = key("Say what would go, and take nothing away.", default=False)


@record("change of a registry", exactly_one_of=("collect", "push"), kw_only=True)
class RegistryChange:
    """What happens to a registry's store besides its HTTP API."""

    endpoint: str = key("The endpoint that is a registry.")
    collect: GarbageCollection | None = key("Garbage collection; what it says is `collected`.", default=None)
    push: TemplateTree = key("An image, written as under `images`.", default=None)
    position: Position = placed()


@record("move of the world")
class Effect:
    """What changes in the world, in this order: variables, objects, registries."""

    set: tuple[Assignment, ...] = key("Variables of the world to set, by path.", _Assignments(), default=())
    objects: tuple[ObjectChange, ...] = key("Kubernetes objects that the world changes.", default=())
    registry: tuple[RegistryChange, ...] = key("What happens to registries.", default=())
    say: Template | None = key("What the drill says about it.", default=None)

    @property
    def is_empty(self) -> bool:
        """Whether it leaves the world as it is; a collection that is only a dry run does."""
        moves = [each for each in self.registry if each.collect is None or not each.collect.dry_run]
        return not (self.set or self.objects or moves)


NO_EFFECT = Effect()


@record("reply of a command", short="stdout", at_most_one_of=("hang", "stuck", "close"))
class CommandReply:
    """How a command ends."""

    stdout: Template | None = key(
        "What it writes; a newline is added at the end.", MAYBE_EMPTY_TEMPLATE, default=None
    )
    stderr: Template | None = key("What it writes to standard error.", MAYBE_EMPTY_TEMPLATE, default=None)
    exit: TemplateTree = key("Its exit status.", default=0)
    delay: float = key("Simulated time until the answer.", DURATION, default=0.0)
    hang: bool = key("It never ends, unless a `timeout` is around it.", default=False)
    stuck: bool = key(
        "It never ends, as a process in the kernel does not: whatever is around it.", default=False
    )
    close: bool = key("The connection is lost in the middle.", default=False)

    @property
    def then(self) -> Literal["exit", "hang", "stuck", "close"]:
        """What comes after the delay."""
        return "stuck" if self.stuck else "hang" if self.hang else "close" if self.close else "exit"


@record("command", kw_only=True)
class CommandRule:
    """How one command line answers, on a host or in a container."""

    match: TextPattern = key("The command line, without sudo, timeout and quotes, or with them.")
    when: Condition = key("Only while this holds.", default=None)
    reply: CommandReply = key("What it answers.", default=CommandReply())
    stdin: bool = key("It reads its input, as `request.stdin`; the client must close it.", default=False)
    effect: Effect = inlined(default=NO_EFFECT)
    position: Position = placed()
