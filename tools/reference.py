"""Writes `docs/reference/` from the declarations of what a runbook, a site and a scenario hold, and from
the rest of the code (`tools/reference_code.py`).

    python -m tools.reference

A key's type, default and description are those of the JSON Schema, which comes from the declaration that also
reads it. Its example comes from a file in `tests/` that holds every key and is loaded by the tests.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import cast

from breakglass.rehearsal.load import scenario_schema
from breakglass.runbook.load import runbook_schema
from breakglass.site.load import site_schema
from breakglass.values import Json
from breakglass.yamlio.position import InvalidFileError
from breakglass.yamlio.shape import Schema, plain
from breakglass.yamlio.source import parse
from tools.reference_code import code_pages

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "reference"
METHODS = frozenset({"get", "head", "options", "post", "put", "patch", "delete"})
LONGEST_EXAMPLE = 88
"""Characters; a longer one is shortened with `…`."""


@dataclass(frozen=True)
class Kind:
    """One kind of file."""

    name: str
    schema: Schema
    everything: Path
    intro: str
    more: dict[tuple[str, str], Json]
    """Examples of keys that name another file, which that file cannot."""


KINDS = (
    Kind(
        "runbook",
        runbook_schema(),
        ROOT / "tests/runbook/everything.yaml",
        "A runbook says how to find and end an incident. `breakglass lint FILE` checks it.\n\n"
        "An *expression* is written in CEL. A *template* is text in which `${{ expression }}` is replaced by"
        " its value.",
        {("include", "include"): "../shared/quorum.yaml"},
    ),
    Kind(
        "site",
        site_schema(),
        ROOT / "tests/site/everything.yaml",
        "A site says where things are and how to get in; a runbook only names them. No secret stands in it,"
        " only where one is found. A relative path begins at the folder of the file.",
        {},
    ),
    Kind(
        "scenario",
        scenario_schema(),
        ROOT / "tests/rehearsal/everything.yaml",
        "A scenario is a simulated incident, to rehearse a runbook on. Times are simulated.\n\n"
        "An *expression* is written in CEL. A *template* is text in which `${{ expression }}` is replaced by"
        " its value.",
        {("scenario", "base"): "recorded-incident.yaml"},
    ),
)


class Page:
    """The reference of one kind of file."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._definitions = cast("dict[str, Schema]", kind.schema["$defs"])
        self.examples = dict(kind.more)
        """The first example of each key of each definition."""
        self._collect(kind.schema, plain(parse(kind.everything.read_text("utf-8"), kind.everything)))
        self._borrow()

    def keys(self) -> Iterator[tuple[str, str, Schema]]:
        """Every key: its definition, its name and its schema."""
        for name in self._in_order():
            for key, schema in _properties(self._definitions[name]).items():
                yield name, key, schema

    def text(self) -> str:
        """The page, in Markdown."""
        source = self._kind.everything.relative_to(ROOT)
        head = (
            f"# What a {self._kind.name} holds\n\n{self._kind.intro}\n\n"
            f"Made by `make reference` from the declarations; the examples are those of `{source}`.\n"
        )
        return "\n".join([head, *(self._section(name) for name in self._in_order())])

    def _in_order(self) -> list[str]:
        """The definitions, each after the one that first leads to it."""
        found = list(_references({key: each for key, each in self._kind.schema.items() if key != "$defs"}))
        for name in found:
            found += [
                each for each in dict.fromkeys(_references(self._definitions[name])) if each not in found
            ]
        return found

    def _section(self, name: str) -> str:
        definition = self._definitions[name]
        needed = cast("list[str]", definition.get("required", []))
        lines = [f"## {name.replace('-', ' ')}\n", f"{definition.get('description', '')}\n"]
        lines += [f"{words}\n" for words in _choices(definition)]
        lines += ["| key | type | default | what it is | example |", "|---|---|---|---|---|"]
        for key, schema in _properties(definition).items():
            default = "required" if key in needed else _code(schema["default"]) if "default" in schema else ""
            example = self.examples.get((name, key))
            shown = f"`{_cell(shortened(key, example))}`" if (name, key) in self.examples else ""
            doc = _cell(cast(str, schema["description"]))
            lines.append(f"| `{key}` | {_type(schema)} | {default} | {doc} | {shown} |")
        return "\n".join([*lines, ""])

    def _collect(self, schema: Schema, value: Json, name: str = "") -> None:
        for inner, inner_name in self._meant(schema, value, name):
            if isinstance(value, list):
                for item in value:
                    self._collect(cast(Schema, inner.get("items", {})), item)
            if not isinstance(value, dict):
                continue
            properties, others = _properties(inner), inner.get("additionalProperties")
            for key, part in value.items():
                if key in properties:
                    self.examples.setdefault((inner_name, key), part)
                    self._collect(properties[key], part)
                elif isinstance(others, dict):
                    self._collect(others, part)

    def _borrow(self) -> None:
        """Give a key without an example that of the same key elsewhere, or of its like in a choice."""
        known = {
            (key, _bare(schema)): self.examples[name, key]
            for name, key, schema in self.keys()
            if (name, key) in self.examples
        }
        for name, key, schema in self.keys():
            if (name, key) in self.examples:
                continue
            others = [each for each in _properties(self._definitions[name]) if (name, each) in self.examples]
            likes = [each for each in others if key in METHODS and each in METHODS]
            found = known.get((key, _bare(schema))) or (self.examples[(name, likes[0])] if likes else None)
            if found is not None:
                self.examples[(name, key)] = found

    def _meant(self, schema: Schema, value: Json, name: str) -> Iterator[tuple[Schema, str]]:
        """Those of a schema's alternatives that a value may be one of, without references."""
        reference = schema.get("$ref")
        if isinstance(reference, str):
            name = reference.rsplit("/", 1)[1]
            definition = self._definitions[name]
            if isinstance(value, dict) and value.keys() <= _properties(definition).keys():
                yield definition, name
            return
        yield schema, name
        for each in cast("list[Schema]", schema.get("anyOf", [])):
            yield from self._meant(each, value, name)


def _bare(schema: Schema) -> str:
    """What a schema allows, whatever it says of it."""
    return json.dumps({key: each for key, each in schema.items() if key not in ("description", "default")})


def _properties(schema: Schema) -> dict[str, Schema]:
    return cast("dict[str, Schema]", schema.get("properties", {}))


def _references(schema: Json) -> Iterator[str]:
    if isinstance(schema, dict):
        reference = schema.get("$ref")
        if isinstance(reference, str):
            yield reference.rsplit("/", 1)[1]
        for each in schema.values():
            yield from _references(each)
    elif isinstance(schema, list):
        for each in schema:
            yield from _references(each)


def _choices(definition: Schema) -> Iterator[str]:
    """Which keys exclude each other."""
    for choice in (definition, *cast("list[Schema]", definition.get("allOf", []))):
        ways = cast("list[Schema]", choice.get("oneOf", []))
        keys = [f"`{cast('list[str]', way['required'])[0]}`" for way in ways if "required" in way]
        if keys:
            yield f"{'Exactly' if len(keys) == len(ways) else 'At most'} one of {', '.join(keys)}."


def _type(schema: Schema) -> str:
    """The type of a value, in words."""
    title, reference, kind = schema.get("title"), schema.get("$ref"), schema.get("type")
    if isinstance(title, str):
        return title
    if isinstance(reference, str):
        name = reference.rsplit("/", 1)[1]
        return f"[{name.replace('-', ' ')}](#{name.lower()})"
    if "enum" in schema:
        return " or ".join(f"`{word}`" for word in cast("list[str]", schema["enum"]))
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_type(each) for each in cast("list[Schema]", schema["anyOf"])))
    if kind == "array":
        return f"list of: {_type(cast(Schema, schema['items']))}"
    if kind == "object":
        return f"names with: {_type(cast(Schema, schema.get('additionalProperties', {})))}"
    if kind == "boolean":
        return "`true` or `false`"
    if kind in ("integer", "number"):
        words = "whole number" if kind == "integer" else "number"
        low, high = schema.get("minimum"), schema.get("maximum")
        if high is not None:
            return f"{words} from {low} to {high}"
        return f"{words}, at least {low}" if low is not None else words
    return "text" if kind is not None else "anything"


def shortened(key: str, value: Json) -> str:
    """A key with its value as YAML on one line, and `…` for what is too much."""
    text = ""
    for inner, outer in product((9, 4, 2, 1, 0), (9, 3, 2, 1)):
        text = f"{key}: {_flow(value, outer, inner)}"
        if len(text) <= LONGEST_EXAMPLE:
            return text
    return f"{text[: LONGEST_EXAMPLE - 1]}…"


def _flow(value: Json, most: int, inner: int) -> str:
    """A value on one line, with so many entries, and so many in each of them."""
    if isinstance(value, dict):
        entries = [f"{_scalar(key)}: {_flow(each, inner, inner)}" for key, each in value.items()]
        return "{" + ", ".join(_first(entries, most)) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_first([_flow(each, inner, inner) for each in value], most)) + "]"
    return _scalar(value)


def _first(parts: list[str], most: int) -> list[str]:
    return [*parts[:most], "…"] if len(parts) > most else parts


def _scalar(value: Json) -> str:
    if isinstance(value, str) and _means_itself(value):
        return value
    return json.dumps(value, ensure_ascii=False)


def _means_itself(text: str) -> bool:
    """Whether a text needs no quotes, not even within brackets."""
    try:
        return plain(parse(f"[{text}]", ROOT)) == [text]
    except InvalidFileError:
        return False


def _code(value: Json) -> str:
    return f"`{_cell(_scalar(value))}`"


def _cell(text: str) -> str:
    """Text in a cell of a table."""
    return text.replace("|", "\\|")


def pages() -> dict[Path, str]:
    """The text of every page, by its path."""
    files = {kind.name: Page(kind).text() for kind in KINDS}
    return {FOLDER / f"{name}.md": text for name, text in (files | code_pages()).items()}


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path, text in pages().items():
        path.write_text(text, "utf-8")
