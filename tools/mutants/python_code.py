"""The small wrong changes of a Python module: one condition, constant, operand, entry, argument, statement or
case at a time. Texts for people, annotations, decorators and docstrings are left alone."""

import ast
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
NAMES = {
    "any": "all",
    "all": "any",
    "min": "max",
    "max": "min",
    "startswith": "endswith",
    "endswith": "startswith",
    "partition": "rpartition",
    "rpartition": "partition",
}
DROPPED_CALLS = frozenset(
    ("strip", "lstrip", "rstrip", "lower", "upper", "casefold", "removeprefix", "removesuffix")
)
"""Methods whose result is mostly what they were called on."""
WHOLE = frozenset(("frozenset", "set", "isinstance", "startswith", "endswith", "tuple", "sorted"))
"""Functions that take a list, of which one entry may be gone."""
NOT_CODE = frozenset(("cast", "TypeVar", "NewType", "field"))
"""Functions whose arguments are types."""
MARK, MARKED = "~", "zz"
"""What stands for one character, and before a longer text: letters, since a codec's name may have others."""


@dataclass(frozen=True, slots=True)
class Change:
    """One wrong change: where it is, what stands there and what in its place. lines: of which one runs
    wherever the change makes a difference."""

    where: str
    before: str
    after: str
    lines: frozenset[int]
    owner: ast.AST = field(repr=False)
    name: str = field(repr=False)
    index: int | None = field(repr=False)
    new: object = field(repr=False)

    def make(self) -> None:
        """Make the change in the tree that it was found in."""
        if self.index is None:
            setattr(self.owner, self.name, self.new)
        elif self.new is None:
            del getattr(self.owner, self.name)[self.index]
            if isinstance(self.owner, ast.Dict):
                del self.owner.values[self.index]
        else:
            getattr(self.owner, self.name)[self.index] = self.new


def changes(tree: ast.Module) -> list[Change]:
    """Every change of a module, in the order of its text."""
    finder = _Finder()
    finder.body(tree)
    return finder.found


class _Finder:
    def __init__(self) -> None:
        self.found: list[Change] = []
        self._where: list[str] = []
        self._returns_bool = False
        self._lines: frozenset[int] = frozenset()

    def _add(
        self, owner: ast.AST, name: str, index: int | None, new: object, shown: tuple[ast.AST, str]
    ) -> None:
        before, after = shown
        where = ".".join(self._where) or "the module"
        lines = _lines(before) if isinstance(before, ast.pattern) else self._lines
        self.found.append(Change(where, _text(before), after, lines, owner, name, index, new))

    def _swap(self, owner: ast.AST, name: str, index: int | None, old: ast.AST, new: ast.AST) -> None:
        ast.copy_location(new, old)
        ast.fix_missing_locations(new)
        self._add(owner, name, index, new, (old, _text(new)))

    def body(self, node: ast.AST) -> None:
        """Whatever is below a node."""
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list", "type_params", "bases"):
                continue
            if isinstance(value, ast.AST):
                self.visit(node, name, None, value)
            elif isinstance(value, list):
                for index, each in enumerate(list(value)):  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
                    if isinstance(each, ast.AST):
                        self.visit(node, name, index, each)

    def visit(self, owner: ast.AST, name: str, index: int | None, node: ast.AST) -> None:
        """One node, which stands in a field of another."""
        before = self._lines
        if isinstance(node, ast.stmt):
            self._lines = _lines(node)
        elif isinstance(node, ast.match_case):
            self._lines = _lines(node.pattern) | (_lines(node.guard) if node.guard else frozenset[int]())
        self._visit(owner, name, index, node)
        self._lines = before

    def _visit(self, owner: ast.AST, name: str, index: int | None, node: ast.AST) -> None:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                before = self._returns_bool
                returns = getattr(node, "returns", None)
                self._returns_bool = isinstance(returns, ast.Name) and returns.id == "bool"
                self._where.append(node.name)
                self.body(node)
                self._where.pop()
                self._returns_bool = before
                return
            case ast.Assign(targets=[ast.Name(id="__all__")]) | ast.If(test=ast.Name(id="TYPE_CHECKING")):
                return
            case ast.Expr(value=ast.Constant()) | ast.JoinedStr() | ast.Import() | ast.ImportFrom():
                return
            case ast.Raise():
                self._swap(owner, name, index, node, ast.Pass())
                return
            case ast.Call(func=ast.Name(id=called)) if called in NOT_CODE:
                return
            case ast.AnnAssign(annotation=ast.Name(id="TypeAlias"), value=ast.Subscript()):
                return
            case ast.Subscript(
                value=ast.Name(id="Literal" | "dict" | "list" | "set" | "tuple" | "frozenset")
            ):
                return
            case ast.stmt():
                self._statement(owner, name, index, node)
            case ast.expr():
                self._expression(owner, name, index, node)
            case ast.comprehension():
                for at, condition in enumerate(node.ifs):
                    self._swap(node, "ifs", at, condition, ast.Constant(True))
            case ast.match_case():
                if node.guard is not None:
                    self._add(node, "guard", None, None, (node.guard, "no guard"))
                if index is not None and len(getattr(owner, name)) > 1:
                    self._add(owner, name, index, None, (node.pattern, "no such case"))
            case ast.MatchOr():
                for at, pattern in enumerate(node.patterns):
                    if len(node.patterns) > 2:
                        self._add(node, "patterns", at, None, (pattern, "not among them"))
                    else:
                        self._add(owner, name, index, node.patterns[1 - at], (pattern, "not among them"))
            case _:
                pass
        self.body(node)

    def _statement(self, owner: ast.AST, name: str, index: int | None, node: ast.stmt) -> None:
        match node:
            case ast.Expr() | ast.AugAssign() | ast.Delete() | ast.Assert():
                self._swap(owner, name, index, node, ast.Pass())
            case ast.Continue():
                self._swap(owner, name, index, node, ast.Break())
            case ast.Break():
                self._swap(owner, name, index, node, ast.Continue())
            case ast.If(test=test):
                for value in (True, False):
                    self._swap(node, "test", None, test, ast.Constant(value))
            case ast.While(test=test) if not isinstance(test, ast.Constant):
                self._swap(node, "test", None, test, ast.Constant(False))
            case ast.Return(value=ast.expr() as value) if self._returns_bool:
                if not isinstance(value, ast.Constant | ast.Compare):
                    self._swap(node, "value", None, value, ast.UnaryOp(ast.Not(), value))
            case _:
                pass

    def _expression(self, owner: ast.AST, name: str, index: int | None, node: ast.expr) -> None:
        match node:
            case ast.Compare(left=left, ops=[operator], comparators=others):
                new = ast.Compare(left, [COMPARISONS[type(operator)]()], others)
                self._swap(owner, name, index, node, new)
            case ast.BoolOp(op=operator, values=values):
                for at in range(len(values)):
                    rest = values[:at] + values[at + 1 :]
                    new = rest[0] if len(rest) == 1 else ast.BoolOp(operator, rest)
                    self._swap(owner, name, index, node, deepcopy(new))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                self._swap(owner, name, index, node, deepcopy(operand))
            case ast.IfExp(test=test):
                for value in (True, False):
                    self._swap(node, "test", None, test, ast.Constant(value))
            case ast.BinOp(left=left, op=operator, right=right) if type(operator) in OPERATORS:
                self._swap(owner, name, index, node, ast.BinOp(left, OPERATORS[type(operator)](), right))
            case ast.Constant(value=value):
                if (other := _another(value)) is not None:
                    self._swap(owner, name, index, node, ast.Constant(other))
            case ast.Call():
                self._call(owner, name, index, node)
            case ast.Dict(keys=keys) if len(keys) > 1:
                for at, key in enumerate(keys):
                    self._add(node, "keys", at, None, (key or node.values[at], "not in it"))
            case ast.Set(elts=entries) | ast.List(elts=entries) if len(entries) > 1:
                self._entries(node, entries)
            case ast.Tuple(elts=entries, ctx=ast.Load()) if len(entries) > 1:
                if _is_a_list(owner, name) or all(isinstance(each, ast.Constant) for each in entries):
                    self._entries(node, entries)
            case _:
                pass

    def _entries(self, node: ast.expr, entries: Sequence[ast.expr]) -> None:
        for at, entry in enumerate(entries):
            self._add(node, "elts", at, None, (entry, "not in it"))

    def _call(self, owner: ast.AST, name: str, index: int | None, node: ast.Call) -> None:
        for at, keyword in enumerate(node.keywords):
            if keyword.arg != "strict":  # of `zip`, of which it only says that it cannot be otherwise
                self._add(node, "keywords", at, None, (keyword, "not given"))
        match node.func:
            case ast.Name(id=called) if called in NAMES:
                self._swap(node, "func", None, node.func, ast.Name(NAMES[called], ast.Load()))
            case ast.Attribute(value=value, attr=called) if called in NAMES:
                self._swap(node, "func", None, node.func, ast.Attribute(value, NAMES[called], ast.Load()))
            case ast.Attribute(value=value, attr=called) if called in DROPPED_CALLS:
                self._swap(owner, name, index, node, deepcopy(value))
            case _:
                pass


def _is_a_list(owner: ast.AST, name: str) -> bool:
    """Whether a tuple stands where any number of entries may."""
    match owner:
        case ast.Call(func=ast.Name(id=called) | ast.Attribute(attr=called)):
            return called in WHOLE
        case ast.Compare():
            return name == "comparators"
        case ast.ExceptHandler():
            return True
        case ast.For() | ast.comprehension():
            return name == "iter"
        case _:
            return False


def _another(value: object) -> bool | float | str | bytes | None:
    """A constant that is not this one; None where it is a text for people."""
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str() if not value.strip() or " " not in value.strip():
            # Of characters that are looked for one by one, one is gone.
            if len(value) == 1:
                return MARK if value != MARK else "z"
            return MARKED + value if not value or any(map(str.isalnum, value)) else value[1:]
        case bytes():
            return MARK.encode() + value
        case _:
            return None


def _lines(node: ast.stmt | ast.expr | ast.pattern) -> frozenset[int]:
    """The lines of a statement, of one with a body only those before it."""
    body: list[ast.stmt] = getattr(node, "body", None) or []
    end = node.end_lineno or node.lineno
    if isinstance(node, ast.Match):
        end = node.subject.end_lineno or node.lineno
    elif isinstance(node, ast.stmt) and body:
        end = max(node.lineno, body[0].lineno - 1)
    return frozenset(range(node.lineno, end + 1))


def _text(node: ast.AST) -> str:
    """A node as code, on one line and not too long."""
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 100 else f"{text[:60]} … {text[-35:]}"


def numbered(texts: Sequence[str]) -> Iterator[str]:
    """Texts that are names: of two that are the same, the second has a number."""
    seen: dict[str, int] = {}
    for text in texts:
        seen[text] = seen.get(text, 0) + 1
        yield text if seen[text] == 1 else f"{text} (no. {seen[text]})"
