"""Shapes of patterns, effects and commands: what happens, and what that does to the world."""

from collections.abc import Sequence

from breakglass.rehearsal.model import (
    Assignment,
    CommandReply,
    CommandRule,
    Effect,
    ObjectChange,
    RegistryChange,
)
from breakglass.rehearsal.patterns import Pattern, compile_pattern, compile_regex
from breakglass.runbook.actions import EXPRESSION, MAYBE_EMPTY_TEMPLATE, TEMPLATE, TREE
from breakglass.runbook.model import Template, TemplateTree
from breakglass.runbook.template import CLOSE, OPEN, moved, parse_template
from breakglass.yamlio.position import InvalidFileError, Problem
from breakglass.yamlio.shape import (
    BOOLEAN,
    DURATION,
    TEXT,
    UNREADABLE,
    Definitions,
    Field,
    Fields,
    Schema,
    Shape,
    Unreadable,
    by_kind,
    converted,
    integer,
    list_of,
    optional,
    record,
    required,
)
from breakglass.yamlio.source import MappingNode, Node, ScalarNode


def _pattern(source: str, node: Node, problems: list[Problem]) -> Pattern | Unreadable:
    try:
        return compile_pattern(source)
    except ValueError as error:
        problems.append(Problem(node.position, str(error)))
        return UNREADABLE


def _path_pattern(source: str, node: Node, problems: list[Problem]) -> Pattern | Unreadable:
    try:
        return compile_pattern(source, "slash")
    except ValueError as error:
        problems.append(Problem(node.position, str(error)))
        return UNREADABLE


def _regex(source: str, node: Node, problems: list[Problem]) -> Pattern | Unreadable:
    try:
        return compile_regex(source)
    except ValueError as error:
        problems.append(Problem(node.position, str(error)))
        return UNREADABLE


_WRITTEN = required("regex", converted(TEXT, _regex), help="A regular expression for the whole text.")
_REGEX = record("regex", (_WRITTEN,), lambda given: given[_WRITTEN])

PATTERN: Shape[Pattern] = by_kind(
    "a pattern",
    scalar=converted(TEXT, _pattern),
    sequence=converted(
        list_of(TEXT, minimum=1), lambda words, node, problems: _pattern(" ".join(words), node, problems)
    ),
    mapping=_REGEX,
)
"""Literal text with `{name}` for one word and `*` for anything; a list of words; or `{regex: …}`."""

PATH_PATTERN: Shape[Pattern] = by_kind(
    "a path with {names} and *", scalar=converted(TEXT, _path_pattern), mapping=_REGEX
)

PATTERNS: Shape[tuple[Pattern, ...]] = by_kind(
    "a pattern or a list of patterns",
    scalar=converted(PATTERN, lambda pattern, node, problems: (pattern,)),
    sequence=list_of(PATTERN, minimum=1),
    mapping=converted(PATTERN, lambda pattern, node, problems: (pattern,)),
)


class _Assignments(Shape[tuple[Assignment, ...]]):
    """`set`: a mapping whose keys are paths with templates in them."""

    def read(self, node: Node, problems: list[Problem]) -> tuple[Assignment, ...] | Unreadable:
        if not isinstance(node, MappingNode):
            problems.append(Problem(node.position, "expected a mapping from paths of variables to values"))
            return UNREADABLE
        assignments: list[Assignment] = []
        for key, entry in node.entries:
            path = _path(key, problems)
            value = TREE.read(entry, problems)
            if path and not isinstance(value, Unreadable):
                assignments.append(Assignment(path, value))
        return tuple(assignments)

    def schema(self, definitions: Definitions) -> Schema:
        return {"type": "object"}


def _path(key: ScalarNode, problems: list[Problem]) -> tuple[Template, ...]:
    """The parts between dots, those inside of an expression not counted."""
    parts: list[Template] = []
    start = 0
    text = key.text
    try:
        while start <= len(text):
            end = _part_end(text, start)
            if end == start:
                problems.append(Problem(key.position, f"{text!r} has an empty part"))
                return ()
            parts.append(parse_template(text[start:end], moved(key.text_position, text, start)))
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


_KIND = required("kind", TEMPLATE, help="A kind such as Pod, or its plural.")
_NAMESPACE = optional("namespace", TEMPLATE)
_NAME = required("name", TEMPLATE)
_OBJECT = record(
    "simulated object",
    (_KIND, _NAMESPACE, _NAME),
    lambda given: (given[_KIND], given[_NAMESPACE], given[_NAME]),
)
_CREATE = optional("create", TREE, help="A whole object.")
_PATCH = optional("patch", _OBJECT, help="The object to change.")
_DELETE = optional("delete", _OBJECT, help="The object to take away, at once.")
_WITH: Field[TemplateTree] = optional("with", TREE, help="What `patch` changes: a merge patch.")
_CLUSTER = optional("cluster", TEXT, help="The cluster, where there are several.")
_EACH = optional("each", EXPRESSION, help="A list; the change is made for each `item`.")


def _object_change(given: Fields) -> ObjectChange | Unreadable:
    if given.has(_CREATE):
        return ObjectChange("create", given.position, given[_CLUSTER], body=given[_CREATE], each=given[_EACH])
    named = given[_PATCH] or given[_DELETE]
    if named is None:
        return UNREADABLE
    patches = given[_PATCH] is not None
    if patches and given[_WITH] is None:
        given.problem(given.position, "a patch needs `with`, what it changes")
    kind, namespace, name = named
    return ObjectChange(
        "patch" if patches else "delete",
        given.position,
        given[_CLUSTER],
        kind,
        namespace,
        name,
        given[_WITH],
        given[_EACH],
    )


_OBJECT_CHANGE = record(
    "change of an object",
    (_CREATE, _PATCH, _DELETE, _WITH, _CLUSTER, _EACH),
    _object_change,
    one_of=(_CREATE, _PATCH, _DELETE),
)

_ENDPOINT = required("endpoint", TEXT, help="The endpoint that is a registry.")
_DELETE_UNTAGGED = optional("delete_untagged", BOOLEAN, default=False)
_DRY_RUN = optional("dry_run", BOOLEAN, default=False)
_COLLECT = optional(
    "collect",
    record(
        "garbage collection",
        (_DELETE_UNTAGGED, _DRY_RUN),
        lambda given: (given[_DELETE_UNTAGGED], given[_DRY_RUN]),
    ),
    help="Garbage collection; what it says is `collected`.",
)
_PUSH = optional("push", TREE, help="An image, written as under `images`.")


def _registry_change(given: Fields) -> RegistryChange:
    collect = given[_COLLECT]
    if collect is not None:
        return RegistryChange(given[_ENDPOINT], "collect", given.position, *collect)
    return RegistryChange(given[_ENDPOINT], "push", given.position, image=given[_PUSH])


_REGISTRY_CHANGE = record(
    "change of a registry",
    (_ENDPOINT, _COLLECT, _PUSH),
    _registry_change,
    one_of=(_COLLECT, _PUSH),
)

SET = optional("set", _Assignments(), default=(), help="Variables of the world to set, by path.")
OBJECTS = optional(
    "objects", list_of(_OBJECT_CHANGE), default=(), help="Kubernetes objects that the world changes."
)
REGISTRY = optional("registry", list_of(_REGISTRY_CHANGE), default=())
SAY = optional("say", TEMPLATE, help="What the drill says about it.")
EFFECT_FIELDS: Sequence[Field[object]] = (SET, OBJECTS, REGISTRY, SAY)


def effect(given: Fields) -> Effect:
    """The effect that a record's own keys describe; it has EFFECT_FIELDS among its fields."""
    return Effect(given[SET], given[OBJECTS], given[REGISTRY], given[SAY])


WHEN = optional("when", EXPRESSION, help="Only while this holds.")

_STDOUT = optional("stdout", MAYBE_EMPTY_TEMPLATE, help="What it writes; a newline is added at the end.")
_STDERR = optional("stderr", MAYBE_EMPTY_TEMPLATE)
_EXIT: Field[TemplateTree] = optional("exit", TREE, default=0, help="Its exit status.")
DELAY = optional("delay", DURATION, default=0.0, help="Simulated time until the answer.")
HANG = optional("hang", BOOLEAN, default=False, help="It never ends, unless a `timeout` is around it.")
_STUCK = optional("stuck", BOOLEAN, default=False, help="It never ends, whatever is around it.")
_CLOSE = optional("close", BOOLEAN, default=False, help="The connection is lost in the middle.")


def _command_reply(given: Fields) -> CommandReply:
    then = "stuck" if given[_STUCK] else "hang" if given[HANG] else "close" if given[_CLOSE] else "exit"
    return CommandReply(given[_STDOUT], given[_STDERR], given[_EXIT], given[DELAY], then)


COMMAND_REPLY: Shape[CommandReply] = by_kind(
    "what the command writes, or a mapping",
    scalar=converted(MAYBE_EMPTY_TEMPLATE, lambda text, node, problems: CommandReply(stdout=text)),
    mapping=record(
        "reply of a command",
        (_STDOUT, _STDERR, _EXIT, DELAY, HANG, _STUCK, _CLOSE),
        _command_reply,
        at_most_one_of=(HANG, _STUCK, _CLOSE),
    ),
)

_MATCH = required("match", PATTERN, help="The command line, without sudo, timeout and quotes, or with them.")
_REPLY = optional("reply", COMMAND_REPLY, default=CommandReply())
_STDIN = optional("stdin", BOOLEAN, default=False, help="It reads its input, as `request.stdin`.")
COMMAND_FIELDS: Sequence[Field[object]] = (_MATCH, WHEN, _REPLY, _STDIN, *EFFECT_FIELDS)


def command(given: Fields) -> CommandRule:
    """The command rule that a record's own keys describe; it has COMMAND_FIELDS among its fields."""
    return CommandRule(
        given[_MATCH], given[_REPLY], given.position, given[WHEN], effect(given), given[_STDIN]
    )


COMMAND = record("command", COMMAND_FIELDS, command)
STATUS = integer(100, 599)
