"""What a page pipes a read through, as an expression, where that is plain: `grep`, `jq`, `awk`, `wc`, `head`.

None where it is not plain; then the page's words are kept for a person.
"""

import re
import shlex
from collections.abc import Sequence

_LITERAL = re.compile(r"[\w .:/=@,%~-]+")
_PATTERN = re.compile(r"[\w .:/=@,%~|()?*+^$\[\]{}-]+")
_PATH = re.compile(r"(?:\.[A-Za-z_]\w*|\[\d*\]|\[?\"[\w./-]+\"\]?|\.\"[\w./-]+\")+")
_STEP = re.compile(r"\.([A-Za-z_]\w*)|\.?\[?\"([\w./-]+)\"\]?|\[(\d*)\]")
_ROW = re.compile(r"(?:NR\s*==\s*(\d+)|NR\s*>\s*(\d+)|/([^/]+)/)?\s*\{\s*print\s+\$(\d+|NF)\s*;?\s*\}")
_DISPLAY = frozenset(("less", "more", "cat", "sort", "column", "uniq", "tee"))
"""Filters that change how output is seen, and not what is found in it."""


def expression_of(filters: Sequence[str], *, json: bool) -> str | None:
    """What filters make of a result. json: the output is JSON. None where that is not plain."""
    value, kind = "result.text", "text"
    for text in filters:
        try:
            words = shlex.split(text)
        except ValueError:
            return None
        if not words:
            return None
        step = _one(words, value, kind, json and value == "result.text")
        if step is None:
            return None
        value, kind = step
    if value == "result.text":
        return None
    return value


def _one(words: list[str], value: str, kind: str, json: bool) -> tuple[str, str] | None:
    program, rest = words[0], words[1:]
    match program:
        case "grep" | "egrep" | "fgrep":
            return _grep(program, rest, value, kind)
        case "jq" if json:
            return _jq(rest)
        case "awk":
            return _awk(rest, value, kind)
        case "wc" if rest == ["-l"]:
            return f"size({_lines(value, kind)})", "number"
        case "head" | "tail":
            return _end(program, rest, value, kind)
        case "cut":
            return _cut(rest, value, kind)
        case "tr" if rest in (["-d", "\\n"], ["-d", '"'], ["-d", "\\r\\n"]):
            return (f"{value}.trim()", "text") if kind == "text" else (value, kind)
        case _ if program in _DISPLAY and (program != "tee" or not rest) and (program != "uniq" or not rest):
            return value, kind
        case _:
            return None


def _lines(value: str, kind: str) -> str:
    return f"{value}.lines()" if kind == "text" else value


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _grep(program: str, rest: list[str], value: str, kind: str) -> tuple[str, str] | None:
    flags, patterns = set[str](), list[str]()
    words = iter(rest)
    for word in words:
        if word in ("-e", "--regexp"):
            patterns.append(next(words, ""))
        elif word.startswith("--"):
            return None
        elif word.startswith("-") and len(word) > 1:
            flags |= set(word[1:])
        else:
            patterns.append(word)
    if not patterns or flags - set("iEFvwcqP") or (len(patterns) > 1 and "-e" not in rest):
        return None
    tests = [_matched(each, flags, program) for each in patterns]
    if any(test is None for test in tests) or kind == "number":
        return None
    test = " || ".join(each for each in tests if each is not None)
    test = f"!({test})" if "v" in flags else test
    found = f"{_lines(value, kind)}.filter(l, {test})"
    return (f"size({found})", "number") if "c" in flags else (found, "lines")


def _matched(pattern: str, flags: set[str], program: str) -> str | None:
    line = "l.lower()" if "i" in flags else "l"
    text = pattern.lower() if "i" in flags else pattern
    if (_LITERAL.fullmatch(text) or program == "fgrep" or "F" in flags) and "w" not in flags and text:
        return f"{line}.contains({_quoted(text)})"
    alternatives = text.replace("\\|", "|")
    if not _PATTERN.fullmatch(alternatives) or (
        "\\|" not in text and "E" not in flags and program == "grep" and re.search(r"[|+?(){}]", text)
    ):
        return None
    return f"{line}.matches({_quoted(alternatives)})"


def _jq(rest: list[str]) -> tuple[str, str] | None:
    programs = [word for word in rest if word not in ("-r", "-c", "-M", "--raw-output", "-e", "-S")]
    if len(programs) != 1:
        return None
    program = programs[0].strip()
    if program == ".":
        return "result.json", "json"
    if not _PATH.fullmatch(program):
        return None
    return _path("result.json", program, 0), "json"


def at_json_path(path: str) -> str | None:
    """A path of kubectl's `-o jsonpath=` as an expression; None where it is more than a path."""
    found = re.fullmatch(r"\{(\.[^{}]+)\}", path.strip())
    program = found[1].replace("[*]", "[]").replace("\\.", "\0") if found else ""
    if "\0" in program or not program or not _PATH.fullmatch(program):
        return None
    return _path("result.json", program, 0)


def _path(value: str, program: str, depth: int) -> str:
    index = 0
    while index < len(program):
        found = _STEP.match(program, index)
        assert found is not None
        index = found.end()
        if found[1]:
            value += f".{found[1]}"
        elif found[2]:
            value += f"[{_quoted(found[2])}]"
        elif found[3]:
            value += f"[{found[3]}]"
        elif index < len(program):
            item = f"i{depth or ''}"
            return f"{value}.map({item}, {_path(item, program[index:], depth + 1)})"
    return value


def _awk(rest: list[str], value: str, kind: str) -> tuple[str, str] | None:
    separator = ""
    if rest and rest[0].startswith("-F"):
        separator, rest = (
            (rest[0][2:], rest[1:]) if len(rest[0]) > 2 else (rest[1] if len(rest) > 1 else "", rest[2:])
        )
    found = _ROW.fullmatch(rest[0].strip()) if len(rest) == 1 else None
    if found is None or kind == "number" or (separator and not _LITERAL.fullmatch(separator)):
        return None
    lines = _lines(value, kind)
    if found[3]:
        test = _matched(found[3], {"E"}, "grep")
        if test is None:
            return None
        lines = f"{lines}.filter(l, {test})"
    row = "l"
    cells = f"{row}.split({_quoted(separator)})" if separator else f"{row}.all('\\\\S+')"
    number = f"size({cells}) - 1" if found[4] == "NF" else str(max(int(found[4]) - 1, 0))
    cell = row if found[4] == "0" else f"{cells}[{number}]"
    if found[1]:
        return cell.replace("l.", f"{lines}[{int(found[1]) - 1}].", 1), "text"
    enough = "true" if found[4] in ("NF", "0") else f"size({cells}) > {number}"
    many = f"{lines}.filter(l, {enough}).map(l, {cell})" if enough != "true" else f"{lines}.map(l, {cell})"
    if found[2]:
        return None
    return many, "lines"


def _end(program: str, rest: list[str], value: str, kind: str) -> tuple[str, str] | None:
    text = "".join(rest)
    found = re.fullmatch(r"(?:-n)?-?(\d+)|", text)
    if found is None or kind == "number":
        return None
    if kind == "text" or program == "tail" or found[1] != "1":
        return value, kind
    return f"{value}[0]", "text"


def _cut(rest: list[str], value: str, kind: str) -> tuple[str, str] | None:
    found = re.fullmatch(r"-d(.)-f(\d+)|-f(\d+)-d(.)", "".join(rest))
    if found is None or kind == "number":
        return None
    separator, number = found[1] or found[4], int(found[2] or found[3]) - 1
    if kind == "text":
        return f"{value}.trim().split({_quoted(separator)})[{number}]", "text"
    return f"{value}.map(l, l.split({_quoted(separator)})[{number}])", "lines"
