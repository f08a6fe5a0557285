"""The one expression language: CEL, through Google's runtime. It cannot loop, and it cannot reach Python.

An expression is compiled against the names in scope and evaluated to JSON. What it uses is found by
reading its tokens, so that a cockpit can show the values beside the expectation.
"""

import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches
from functools import lru_cache
from typing import TYPE_CHECKING, cast

from breakglass.errors import StepError
from breakglass.values import Json, Scope
from breakglass.yamlio.position import Position, Problem

if TYPE_CHECKING:
    from cel_expr_python import cel

KEYWORDS = frozenset({"true", "false", "null", "in"})
MACROS = frozenset({"all", "exists", "exists_one", "filter", "map"})
_TOKEN = re.compile(
    r"""
    (?P<space>\s+|//[^\n]*)
  |
  (?P<string>[rRbB]{0,2}(?:
      '''(?:\\.|[^\\])*?(?:'''|\Z) | \"\"\"(?:\\.|[^\\])*?(?:\"\"\"|\Z)
    | '(?:\\.|[^'\\\n])*'? | "(?:\\.|[^"\\\n])*"? ))
  | (?P<number>\d[\w.]*) | (?P<name>[A-Za-z_]\w*) | (?P<sign>.)
    """,
    re.VERBOSE | re.DOTALL,
)
"""A string that is not closed is one all the same, so that its end is sought once."""
_WORD = re.compile(r"[A-Za-z_]\w*")
_ERROR_PLACE = re.compile(r"ERROR: <input>:(\d+):(\d+): ([^\n]*)")
SYNTAX = "Syntax error: "
_UNDECLARED = re.compile(r"undeclared reference to '([^']*)'")


@dataclass(frozen=True, slots=True)
class Expression:
    """A CEL expression as written. optional: as a value in a command, it may be empty."""

    source: str
    position: Position
    optional: bool = False


class EvaluationError(StepError):
    """An expression that has no value here; the message names the expression and what is missing."""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str


def check(expression: Expression, names: Collection[str]) -> list[Problem]:
    """Compile against declared names; every fault with its place in the file."""
    used = _used(expression.source)
    try:
        _program(expression.source, frozenset(names) & used)
    except RuntimeError as error:
        faults = [*_faults(str(error))]
        # What a parser says after its first mistake is about its own confusion.
        told = faults[:1] if faults[0][2].startswith(SYNTAX) else faults
        return [_problem(expression, *fault, names) for fault in told]
    return []


def evaluate(expression: Expression, scope: Scope) -> Json:
    """The expression's value. Raises EvaluationError."""
    used = _used(expression.source)
    there = frozenset(name for name in used if name in scope)
    try:
        program = _program(expression.source, there)
    except RuntimeError as error:
        raise EvaluationError(_why_not(expression, str(error), scope)) from error
    try:
        value = program.eval(data={name: scope[name] for name in there})
    except RuntimeError as error:
        # CEL's numbers have 64 bits, and what came from outside may have more.
        raise EvaluationError(f"{expression.source}: {_reason(str(error))}") from error
    plain = value.plain_value()
    if value.type().name() == "ERROR":
        raise EvaluationError(f"{expression.source}: {_reason(str(plain))}")
    return _as_json(expression, plain)


def holds(expression: Expression, scope: Scope) -> bool:
    """Whether a condition is true. Raises EvaluationError, also when the value is not true or false."""
    value = evaluate(expression, scope)
    if not isinstance(value, bool):
        raise EvaluationError(f"{expression.source}: is {value!r}, neither true nor false")
    return value


def names(expression: Expression) -> frozenset[str]:
    """The names at the top level that the expression uses: captured values, `inputs`, `result`, and so on."""
    return _used(expression.source)


def observed(expression: Expression, scope: Scope) -> dict[str, Json]:
    """The values to show beside an expectation: each name or member chain that it reads, where it has a
    value.

    A list or map is shown by its size, since the whole would drown what matters.
    """
    values: dict[str, Json] = {}
    for chain in _chains(expression.source):
        part = Expression(chain, expression.position)
        try:
            value = evaluate(part, scope)
        except EvaluationError:
            continue
        if isinstance(value, list | dict):
            values[f"size({chain})"] = len(value)
        else:
            values[chain] = value
    return values


@lru_cache(maxsize=4096)
def _used(source: str) -> frozenset[str]:
    return frozenset(chain.split(".")[0].split("[")[0] for chain in _chains(source))


@lru_cache(maxsize=4096)
def _chains(source: str) -> tuple[str, ...]:
    """The member chains of an expression, such as `result.json.items`, in order and without repeats.

    A name bound by a macro (`p` in `items.exists(p, …)`) is not one; nor is the name of a function.
    """
    tokens = [
        _Token(match.lastgroup or "", match.group())
        for match in _TOKEN.finditer(source)
        if match.lastgroup != "space"
    ]
    return tuple(dict.fromkeys(_walk(tokens)))


def _walk(tokens: list[_Token]) -> Iterator[str]:
    bound: list[tuple[int, str]] = []
    depth = 0
    for index, token in enumerate(tokens):
        if token.text == "(":
            depth += 1
            name = _bound_by_macro(tokens, index)
            if name is not None:
                bound.append((depth, name))
        elif token.text == ")":
            bound = [each for each in bound if each[0] != depth]
            depth -= 1
        elif _is_root(tokens, index) and token.text not in {name for _, name in bound}:
            yield _chain_from(tokens, index)


def _is_root(tokens: list[_Token], index: int) -> bool:
    token = tokens[index]
    if token.kind != "name" or token.text in KEYWORDS:
        return False
    before = tokens[index - 1].text if index else ""
    after = tokens[index + 1].text if index + 1 < len(tokens) else ""
    namespace = token.text == "math" and after == "."
    return before != "." and after != "(" and not namespace


def _bound_by_macro(tokens: list[_Token], at: int) -> str | None:
    is_macro = at >= 2 and tokens[at - 1].text in MACROS and tokens[at - 2].text == "."
    if is_macro and at + 2 < len(tokens) and tokens[at + 1].kind == "name" and tokens[at + 2].text == ",":
        return tokens[at + 1].text
    return None


def _chain_from(tokens: list[_Token], index: int) -> str:
    chain = tokens[index].text
    index += 1
    while index + 1 < len(tokens):
        dot, member = tokens[index], tokens[index + 1]
        after = tokens[index + 2].text if index + 2 < len(tokens) else ""
        if dot.text == "." and member.kind == "name" and after != "(":
            chain += f".{member.text}"
            index += 2
        elif dot.text == "[" and member.kind in ("number", "string") and after == "]":
            chain += f"[{member.text}]"
            index += 3
        else:
            break
    return chain


def expect(names: frozenset[str]) -> None:
    """Say which names the expressions to come have between them: it makes compiling them quicker."""
    _expected.set(names)


_expected = ContextVar("names that expressions have between them", default=frozenset[str]())


@lru_cache(maxsize=4096)
def _program(source: str, declared: frozenset[str]) -> "cel.Expression":
    """The expression, compiled where nothing but `declared` has a value. Raises RuntimeError.

    The first expression of an environment takes ten times as long as those that follow. So one environment
    serves all expressions in whose text none of its other names occurs, in whatever role.
    """
    shared = _expected.get()
    if declared <= shared and shared.intersection(_WORD.findall(source)) <= declared:
        with suppress(RuntimeError):
            return _environment(shared).compile(source)
    return _environment(declared).compile(source)


@lru_cache(maxsize=1024)
def _environment(declared: frozenset[str]) -> "cel.Env":
    from cel_expr_python import cel
    from cel_expr_python.ext import ext_math, ext_strings

    from breakglass.runbook.functions import declarations

    return cel.NewEnv(
        variables=dict.fromkeys(declared, cel.Type.DYN),
        extensions=[ext_strings.ExtStrings(), ext_math.ExtMath()],
        functions=declarations(),
    )


def _faults(text: str) -> Iterator[tuple[int, int, str]]:
    found = False
    for match in _ERROR_PLACE.finditer(text):
        found = True
        message = re.sub(r" \(in container ''\)", "", match[3])
        yield int(match[1]), int(match[2]), message
    if not found:
        yield 1, 1, text.splitlines()[0]


def _problem(expression: Expression, line: int, column: int, message: str, known: Collection[str]) -> Problem:
    start = expression.position
    place = Position(
        start.file, start.line + line - 1, start.column + column - 1 if line == 1 else max(column, 1)
    )
    undeclared = _UNDECLARED.search(message)
    if message.startswith(SYNTAX):
        return Problem(place, _syntax_words(expression.source, line, column, message))
    if undeclared is None:
        return Problem(place, f"expression {expression.source!r}: {message}")
    name = undeclared[1]
    near = get_close_matches(name, list(known), n=1)
    meant = f"; did you mean {near[0]!r}?" if near else ""
    return Problem(place, f"nothing before this step gives {name!r} a value{meant}")


def _syntax_words(source: str, line: int, column: int, message: str) -> str:
    """A syntax error in plain words, with a caret in the expression where it is."""
    text = source.splitlines()[line - 1] if line <= len(source.splitlines()) else source
    marked = f"{text[: column - 1]}^{text[column - 1 :]}"
    said = message.removeprefix(SYNTAX)
    found = re.match(
        r"(missing|mismatched input|extraneous input|token recognition error at:) '(.*?)'(?=$| )", said
    )
    kind, what = (found[1], found[2]) if found is not None else ("", "")
    instead = {"and": "&&", "or": "||", "not": "!", "=": "==", "is": "=="}
    if kind == "missing":
        words = f"{what!r} is missing"
    elif what == "<EOF>":
        words = "the expression ends too early"
    elif kind.startswith("token") and what[:1] in ("'", '"'):
        words = "a text begins here and does not end"
    elif source.split(" ")[0] == "not":
        words = "CEL says `!` for 'not'"
    elif what.strip() in instead:
        words = f"CEL says `{instead[what.strip()]}` for {what.strip()!r}"
    elif what:
        words = f"{what.strip()!r} cannot stand here"
    else:
        words = "something cannot stand here"
    return f"{words}: {marked}"


def _why_not(expression: Expression, text: str, scope: Scope) -> str:
    missing = [name for name in dict.fromkeys(_UNDECLARED.findall(text)) if name in _used(expression.source)]
    if missing:
        return f"{expression.source}: {', '.join(missing)} has no value yet"
    return f"{expression.source}: {next(iter(_faults(text)))[2]}"


def _reason(text: str) -> str:
    for prefix in ("NOT_FOUND: ", "UNKNOWN: ", "INVALID_ARGUMENT: ", "OUT_OF_RANGE: ", "INTERNAL: "):
        text = text.removeprefix(prefix)
    key = re.match(r'Key not found in map : "(.*)"', text)
    return f"there is no {key[1]!r} in what came back" if key else text


def _as_json(expression: Expression, value: object) -> Json:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes | bytearray):
        return value.decode(errors="replace")
    if isinstance(value, list):
        return [_as_json(expression, each) for each in cast("list[object]", value)]
    if isinstance(value, dict):
        entries = cast("dict[object, object]", value)
        return {str(key): _as_json(expression, each) for key, each in entries.items()}
    raise EvaluationError(f"{expression.source}: gives {type(value).__name__}, which is not data")
