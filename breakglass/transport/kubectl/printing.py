"""Objects as kubectl prints them: JSON, YAML, tables and names.

Source: `staging/src/k8s.io/cli-runtime/pkg/printers` of Kubernetes 1.34. What an object looks like in a table
is the server's business; only the columns' widths are made here.
"""

import json
import re
from collections.abc import Iterable, Sequence
from json.encoder import encode_basestring as encode_text
from typing import cast

import yaml

from breakglass.values import Json

Object = dict[str, Json]

_HTML = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
"""Characters that Go's JSON encoder escapes."""

LEAST_WIDTH, PADDING = 6, 3


def as_json(value: Json) -> str:
    """JSON with sorted keys and four spaces, as `-o json` gives it."""
    text = _indented(value, "\n")
    for mark, escape in _HTML.items():
        text = text.replace(mark, escape)
    return text + "\n"


def _indented(value: Json, line: str) -> str:
    """What `json.dumps` gives with an indent, in less than half the time of its generators.

    line: the end of a line and the indent of the next. Texts, which most values are, need no call of this.
    """
    below = line + "    "
    if isinstance(value, dict) and value:
        entries = [
            f"{encode_text(key)}: {encode_text(each) if isinstance(each, str) else _indented(each, below)}"
            for key, each in sorted(value.items())
        ]
        return f"{{{below}{f',{below}'.join(entries)}{line}}}"
    if isinstance(value, list) and value:
        return f"[{below}{f',{below}'.join([_indented(each, below) for each in value])}{line}]"
    if isinstance(value, str):
        return encode_text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else json.dumps(value)


class _Dumper(yaml.SafeDumper):
    """YAML in which texts of several lines stand as they are."""

    def ignore_aliases(self, data: object) -> bool:
        return True


_UNSAFE = re.compile("[^\n\x20-\x7e\xa1-\u1fff\u2010-\u2027\u2030-\ud7ff\uf900-\ufefe]")
"""Characters that are written as escapes, in quotes."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = None
    if _UNSAFE.search(value):
        style = '"'
    elif "\n" in value and not re.search(r" \n|^\s", value):
        style = "|"
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)  # pyright: ignore[reportUnknownMemberType]


_Dumper.add_representer(str, _text)


def as_yaml(value: Json) -> str:
    return yaml.dump(value, Dumper=_Dumper, default_flow_style=False, sort_keys=True, allow_unicode=True)


def bare(value: Object) -> Object:
    """The object without what kubectl leaves out: who last wrote which field."""
    metadata = value.get("metadata")
    if not isinstance(metadata, dict) or "managedFields" not in metadata:
        return value
    return {**value, "metadata": {key: each for key, each in metadata.items() if key != "managedFields"}}


def as_list(items: Sequence[Object]) -> Object:
    """Several objects as one, as `-o json` gives them."""
    return {
        "apiVersion": "v1",
        "items": cast("list[Json]", list(items)),
        "kind": "List",
        "metadata": {"resourceVersion": ""},
    }


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows as columns, each as wide as its widest cell and three spaces, the last one not padded."""
    if not rows:
        return ""
    widths = [
        max(LEAST_WIDTH, max(len(row[column]) for row in rows) + PADDING)
        for column in range(len(rows[0]) - 1)
    ]
    lines: list[str] = []
    for row in rows:
        padded = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        lines.append("".join([*padded, row[-1]]) + "\n")
    return "".join(lines)


def server_table(
    found: Object, *, wide: bool, headers: bool, namespaces: bool, prefix: str = ""
) -> list[list[str]]:
    """A server's Table as rows of cells; the first is the header, if wanted."""
    definitions = [each for each in _list(found.get("columnDefinitions")) if isinstance(each, dict)]
    shown = [index for index, each in enumerate(definitions) if wide or not each.get("priority")]
    rows: list[list[str]] = []
    if headers:
        titles = [str(definitions[index].get("name", "")).upper() for index in shown]
        rows.append((["NAMESPACE"] if namespaces else []) + titles)
    for row in _list(found.get("rows")):
        if not isinstance(row, dict):
            continue
        cells = _list(row.get("cells"))
        texts = [cell_text(cells[index]) if index < len(cells) else "" for index in shown]
        if prefix and texts:
            texts[0] = prefix + texts[0]
        rows.append(([_namespace_of(row)] if namespaces else []) + texts)
    return rows


def cell_text(value: Json) -> str:
    """A cell: its first line, with control characters as Go shows them."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    first = re.split("[\f\n\r]", text, maxsplit=1)[0]
    return first + ("..." if first != text else "")


def _namespace_of(row: Object) -> str:
    inner = row.get("object")
    metadata = inner.get("metadata") if isinstance(inner, dict) else None
    return str(metadata.get("namespace") or "") if isinstance(metadata, dict) else ""


def joined(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []
