"""The house's rules that no other tool holds: one name for one class, and one tree of errors."""

import ast
import builtins
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import breakglass
from breakglass import errors

PACKAGE = Path(breakglass.__file__).parent
ROOT = "BreakglassError"


def classes() -> Iterator[tuple[str, ast.ClassDef]]:
    """Each class of the program, within others too, with its file."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                yield str(path.relative_to(PACKAGE)), node


def parents() -> dict[str, list[str]]:
    """The bases of each class by their last name."""
    return {node.name: [ast.unparse(base).rpartition(".")[2] for base in node.bases] for _, node in classes()}


def ancestors(name: str, known: dict[str, list[str]]) -> set[str]:
    """Every class above one, as far as the program defines them, and the first above those."""
    found: set[str] = set()
    for base in known.get(name, []):
        found |= {base} | ancestors(base, known)
    return found


def is_exception(name: str, known: dict[str, list[str]]) -> bool:
    above = (getattr(builtins, each, None) for each in ancestors(name, known))
    return any(isinstance(each, type) and issubclass(each, BaseException) for each in above)


def test_no_class_name_stands_twice_in_the_program() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path, node in classes():
        places[node.name].append(path)
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def test_every_error_descends_from_the_root() -> None:
    known = parents()
    raised = {name for name in known if is_exception(name, known)}
    assert len(raised) > 40
    assert {name for name in raised - {ROOT} if ROOT not in ancestors(name, known)} == set()


def test_the_documented_tree_of_errors_is_the_tree() -> None:
    known = parents()
    raised = {name for name in known if is_exception(name, known) and not name.startswith("_")}
    documented = dict(tree(errors.__doc__ or ""))
    assert documented.pop(ROOT) == ""
    assert documented == {name: known[name][0] for name in raised - {ROOT}}


def tree(text: str) -> Iterator[tuple[str, str]]:
    """Each error of a written tree, with the one above it."""
    above: list[str] = []
    for line in text.splitlines():
        item = re.fullmatch(r"( *)\* ([A-Za-z, ]+?)(?::.*)?", line)
        if item is not None:
            level = len(item[1]) // 2
            for name in item[2].split(", "):
                yield name, above[level - 1] if level else ""
            above[level:] = [item[2].split(", ")[0]]
