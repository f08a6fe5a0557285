"""kubectl's JSONPath templates: `{.items[*].metadata.name}{"\\n"}`, with ranges and filters.

Source: https://kubernetes.io/docs/reference/kubectl/jsonpath/ and, in Kubernetes, the package
`staging/src/k8s.io/client-go/util/jsonpath`.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from breakglass.values import Json


class JsonPathError(Exception):
    """A template that cannot be read, or a path that leads nowhere; the message is for the operator."""


@dataclass(frozen=True, slots=True)
class FieldNode:
    name: str


@dataclass(frozen=True, slots=True)
class WildcardNode:
    pass


@dataclass(frozen=True, slots=True)
class RecursiveNode:
    """`..`: every value at any depth."""


@dataclass(frozen=True, slots=True)
class SliceNode:
    start: int | None
    stop: int | None
    step: int | None


@dataclass(frozen=True, slots=True)
class IndexNode:
    at: int


@dataclass(frozen=True, slots=True)
class UnionNode:
    """`[0,2]` or `['a','b']`."""

    parts: "tuple[IndexNode | FieldNode | SliceNode, ...]"


@dataclass(frozen=True, slots=True)
class FilterNode:
    """`[?(@.type=="Ready")]`. Without an operator, the left side only has to be there."""

    left: "tuple[Step, ...] | Json"
    operator: str
    right: "tuple[Step, ...] | Json"


Step: TypeAlias = FieldNode | WildcardNode | RecursiveNode | SliceNode | IndexNode | UnionNode | FilterNode


@dataclass(frozen=True, slots=True)
class RangeNode:
    path: tuple[Step, ...]
    body: "tuple[Part, ...]"


Part: TypeAlias = "str | tuple[Step, ...] | RangeNode"
"""Literal text, a path, or a range over a path."""


def compile_template(text: str) -> tuple[Part, ...]:
    """A template. Raises JsonPathError where it cannot be read. A bare `.a.b` or `a.b` is a path too."""
    if "{" not in text:
        text = "{" + (text if text.startswith(("$", ".", "@", "[")) else f".{text}") + "}"
    tokens = list(_tokens(text))
    parts, rest = _parts(tokens, 0, inside=False)
    if rest != len(tokens):
        raise JsonPathError("{end} without {range}")
    return parts


def print_template(parts: tuple[Part, ...], value: Json, *, missing_is_empty: bool = True) -> str:
    """The template's text for a value. Raises JsonPathError for a missing key unless that is allowed."""
    return _printed(parts, value, value, missing_is_empty)


def find(parts: tuple[Part, ...], value: Json) -> list[Json]:
    """The values at the one path of a template. Raises JsonPathError for a template of another form."""
    paths = [part for part in parts if isinstance(part, tuple)]
    if len(paths) != 1 or len(parts) != 1:
        raise JsonPathError("exactly one {path} is wanted here")
    return list(_walk(paths[0], value, value, missing_is_empty=True))


def text_of(value: Json) -> str:
    """A value as Go prints it in a template: text as it is, objects as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "<nil>"
    if isinstance(value, dict | list):
        return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    return str(value)


def _tokens(text: str) -> Iterator[str | tuple[str]]:
    """Literal text as strings, what stands in braces as one-element tuples."""
    index = 0
    while index < len(text):
        opened = text.find("{", index)
        if opened < 0:
            yield text[index:]
            return
        if opened > index:
            yield text[index:opened]
        end = _brace_end(text, opened + 1)
        yield (text[opened + 1 : end].strip(),)
        index = end + 1


def _brace_end(text: str, index: int) -> int:
    quote = ""
    while index < len(text):
        character = text[index]
        if quote:
            if character == "\\":
                index += 1
            elif character == quote:
                quote = ""
        elif character in "'\"":
            quote = character
        elif character == "}":
            return index
        index += 1
    raise JsonPathError("unclosed action: a { has no }")


def _parts(tokens: list[str | tuple[str]], index: int, *, inside: bool) -> tuple[tuple[Part, ...], int]:
    found: list[Part] = []
    while index < len(tokens):
        token = tokens[index]
        if isinstance(token, str):
            found.append(token)
            index += 1
            continue
        body = token[0]
        if body == "end":
            if inside:
                return tuple(found), index
            return tuple(found), index
        index += 1
        if body.startswith("range") and not body[5:6].isalnum():
            path = _path(body[5:].strip())
            inner, end = _parts(tokens, index, inside=True)
            if end >= len(tokens):
                raise JsonPathError("{range} has no {end}")
            found.append(RangeNode(path, inner))
            index = end + 1
        elif body[:1] in "\"'" and body:
            found.append(_unquoted(body))
        else:
            found.append(_path(body))
    return tuple(found), index


def _unquoted(text: str) -> str:
    if len(text) < 2 or text[-1] != text[0]:
        raise JsonPathError(f"unterminated quoted string: {text}")
    inner = text[1:-1]
    escapes = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'"}
    return re.sub(r"\\(.)", lambda match: escapes.get(match[1], match[0]), inner)


_NAME = re.compile(r"(?:\\.|[^.\[\]\s,()=!<>'\"])+")


def _path(text: str) -> tuple[Step, ...]:
    steps: list[Step] = []
    index = 1 if text[:1] in ("$", "@") else 0
    if not text:
        raise JsonPathError("an empty {}")
    while index < len(text):
        if text.startswith("..", index):
            steps.append(RecursiveNode())
            index += 2
            if index < len(text) and text[index] not in "[*":
                index = _field(text, index, steps)
            elif text[index : index + 1] == "*":
                steps.append(WildcardNode())
                index += 1
        elif text[index] == ".":
            index += 1
            if text[index : index + 1] == "*":
                steps.append(WildcardNode())
                index += 1
            elif index < len(text) and text[index] != "[":
                index = _field(text, index, steps)
        elif text[index] == "[":
            end = _bracket_end(text, index + 1)
            steps.append(_bracket(text[index + 1 : end].strip()))
            index = end + 1
        elif index == 0:
            index = _field(text, index, steps)
        else:
            raise JsonPathError(f"unexpected {text[index]!r} in {text!r}")
    return tuple(steps)


def _field(text: str, index: int, steps: list[Step]) -> int:
    match = _NAME.match(text, index)
    if match is None:
        raise JsonPathError(f"a name is missing in {text!r}")
    steps.append(FieldNode(re.sub(r"\\(.)", r"\1", match[0])))
    return match.end()


def _bracket_end(text: str, index: int) -> int:
    depth, quote = 1, ""
    while index < len(text):
        character = text[index]
        if quote:
            if character == "\\":
                index += 1
            elif character == quote:
                quote = ""
        elif character in "'\"":
            quote = character
        elif character == "[":
            depth += 1
        elif character == "]":
            depth -= 1
            if depth == 0:
                return index
        index += 1
    raise JsonPathError(f"unterminated array: {text!r}")


def _bracket(body: str) -> Step:
    if body == "*":
        return WildcardNode()
    if body.startswith("?(") and body.endswith(")"):
        return _filter(body[2:-1])
    parts = [_element(part.strip()) for part in re.split(r",(?=(?:[^'\"]|'[^']*'|\"[^\"]*\")*$)", body)]
    return parts[0] if len(parts) == 1 else UnionNode(tuple(parts))


def _element(text: str) -> IndexNode | FieldNode | SliceNode:
    if text[:1] in ("'", '"') and text:
        return FieldNode(_unquoted(text))
    if re.fullmatch(r"-?\d+", text):
        return IndexNode(int(text))
    match = re.fullmatch(r"(-?\d*):(-?\d*)(?::(-?\d*))?", text)
    if match is None:
        raise JsonPathError(f"invalid array index {text!r}")
    start, stop, step = (int(each) if each else None for each in match.groups())
    if step is not None and step <= 0:
        raise JsonPathError(f"the step of {text!r} must be above 0")
    return SliceNode(start, stop, step)


_OPERATOR = re.compile(r"(==|!=|<=|>=|<|>)(?=(?:[^'\"]|'[^']*'|\"[^\"]*\")*$)")


def _filter(text: str) -> FilterNode:
    found = _OPERATOR.split(text, maxsplit=1)
    if len(found) == 1:
        return FilterNode(_operand(text.strip()), "exists", None)
    left, operator, right = found
    return FilterNode(_operand(left.strip()), operator, _operand(right.strip()))


def _operand(text: str) -> "tuple[Step, ...] | Json":
    if text[:1] in ("'", '"') and text:
        return _unquoted(text)
    if text in ("true", "false"):
        return text == "true"
    if re.fullmatch(r"-?\d+(\.\d+)?", text):
        return float(text) if "." in text else int(text)
    return _path(text)


def _printed(parts: tuple[Part, ...], value: Json, root: Json, missing_is_empty: bool) -> str:
    out: list[str] = []
    for part in parts:
        if isinstance(part, str):
            out.append(part)
        elif isinstance(part, RangeNode):
            for each in _walk(part.path, value, root, missing_is_empty):
                out.append(_printed(part.body, each, root, missing_is_empty))
        else:
            out.append(" ".join(text_of(each) for each in _walk(part, value, root, missing_is_empty)))
    return "".join(out)


def _walk(path: tuple[Step, ...], value: Json, root: Json, missing_is_empty: bool) -> Iterator[Json]:
    values: list[Json] = [value]
    for step in path:
        values = [each for one in values for each in _step(step, one, missing_is_empty)]
    return iter(values)


def _step(step: Step, value: Json, missing_is_empty: bool) -> Iterator[Json]:
    match step:
        case FieldNode(name):
            if isinstance(value, dict) and name in value:
                yield value[name]
            elif not missing_is_empty:
                raise JsonPathError(f"{name} is not found")
        case WildcardNode():
            if isinstance(value, list):
                yield from value
            elif isinstance(value, dict):
                yield from (value[key] for key in sorted(value))
        case RecursiveNode():
            yield from _everything(value)
        case IndexNode(at):
            if isinstance(value, list) and -len(value) <= at < len(value):
                yield value[at]
            elif isinstance(value, list) and not missing_is_empty:
                raise JsonPathError(f"array index out of bounds: index {at}, length {len(value)}")
        case SliceNode(start, stop, stride):
            if isinstance(value, list):
                yield from value[start:stop:stride]
        case UnionNode(parts):
            for part in parts:
                yield from _step(part, value, missing_is_empty)
        case FilterNode():
            for each in value if isinstance(value, list) else []:
                if _holds(step, each):
                    yield each


def _everything(value: Json) -> Iterator[Json]:
    yield value
    inner = value if isinstance(value, list) else list(value.values()) if isinstance(value, dict) else []
    for each in inner:
        yield from _everything(each)


def _holds(condition: FilterNode, value: Json) -> bool:
    left = _side(condition.left, value)
    if condition.operator == "exists":
        return bool(left)
    right = _side(condition.right, value)
    if not left or not right:
        return False
    one, other = left[0], right[0]
    if condition.operator == "==":
        return one == other
    if condition.operator == "!=":
        return one != other
    if isinstance(one, str) and isinstance(other, str):
        return _ordered(condition.operator, (one > other) - (one < other))
    if isinstance(one, int | float) and isinstance(other, int | float):
        return _ordered(condition.operator, (one > other) - (one < other))
    return False


def _ordered(operator: str, difference: int) -> bool:
    return {"<": difference < 0, "<=": difference <= 0, ">": difference > 0, ">=": difference >= 0}[operator]


def _side(side: "tuple[Step, ...] | Json", value: Json) -> list[Json]:
    if isinstance(side, tuple):
        return list(_walk(side, value, value, missing_is_empty=True))
    return [side]
