import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

import breakglass
from breakglass.runbook.load import runbook_schema
from breakglass.values import Json
from breakglass.yamlio.shape import plain
from breakglass.yamlio.source import parse

COMMITTED = Path(breakglass.__file__).parent.parent / "runbooks" / "runbook.schema.json"
EVERYTHING = Path(__file__).parent / "everything.yaml"


def test_the_committed_schema_is_current():
    assert COMMITTED.read_text(encoding="utf-8") == json.dumps(runbook_schema(), indent=2) + "\n"


def test_a_runbook_with_every_construct_fits_the_schema():
    assert list(faults(runbook_schema(), everything())) == []


@pytest.mark.parametrize(
    "path",
    [
        (),
        ("steps", 0),
        ("steps", 0, "http"),
        ("steps", 0, "next", 0),
        ("steps", 7, "verify"),
        ("steps", 7, "pin"),
        ("inputs", "namespace"),
        ("triage", 0, "verdict"),
        ("uses",),
    ],
)
def test_an_unknown_key_does_not_fit(path: tuple[str | int, ...]):
    value = everything()
    part: Json = value
    for key in path:
        part = cast("list[Json]", part)[key] if isinstance(key, int) else cast("dict[str, Json]", part)[key]
    assert isinstance(part, dict)
    part["surprise"] = 1
    assert list(faults(runbook_schema(), value)) != []


@pytest.mark.parametrize("key", ["runbook", "title", "summary", "severity", "steps"])
def test_a_runbook_without_a_needed_key_does_not_fit(key: str):
    value = everything()
    del value[key]
    assert list(faults(runbook_schema(), value)) != []


def test_a_step_with_two_actions_does_not_fit():
    value = everything()
    steps = value["steps"]
    assert isinstance(steps, list) and isinstance(steps[0], dict)
    steps[0]["manual"] = "Look."
    assert list(faults(runbook_schema(), value)) != []


def test_an_include_fits_among_the_steps():
    value = everything()
    steps = value["steps"]
    assert isinstance(steps, list)
    steps.insert(0, {"include": "../shared/steps.yaml"})
    assert list(faults(runbook_schema(), value)) == []


def everything() -> dict[str, Json]:
    value = plain(parse(EVERYTHING.read_text(encoding="utf-8"), EVERYTHING))
    assert isinstance(value, dict)
    return value


KINDS: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
}


def faults(schema: dict[str, Json], value: Json, root: dict[str, Json] | None = None) -> Iterator[str]:
    """What does not fit, judged by those words of JSON Schema that the shapes make."""
    root = schema if root is None else root
    reference = schema.get("$ref")
    if isinstance(reference, str):
        definitions = cast("dict[str, dict[str, Json]]", root["$defs"])
        yield from faults(definitions[reference.rsplit("/", 1)[1]], value, root)
    yield from _wrong_kind(schema, value)
    alternatives = cast("list[dict[str, Json]]", schema.get("anyOf", []))
    if alternatives and all(list(faults(each, value, root)) for each in alternatives):
        yield f"{value!r} fits none of {len(alternatives)}"
    exclusive = cast("list[dict[str, Json]]", schema.get("oneOf", []))
    if exclusive and sum(not list(faults(each, value, root)) for each in exclusive) != 1:
        yield f"{value!r} does not fit exactly one"
    excluded = cast("dict[str, Json] | None", schema.get("not"))
    if excluded is not None and not list(faults(excluded, value, root)):
        yield f"{value!r} fits what it must not"
    if isinstance(value, dict):
        yield from _object(schema, value, root)
    if isinstance(value, list):
        if len(value) < cast(int, schema.get("minItems", 0)):
            yield "too short"
        for item in value:
            yield from faults(cast("dict[str, Json]", schema.get("items", {})), item, root)


def _wrong_kind(schema: dict[str, Json], value: Json) -> Iterator[str]:
    kinds = schema.get("type", list(KINDS))
    allowed = [kinds] if isinstance(kinds, str) else cast("list[str]", kinds)
    if "type" in schema and not any(
        isinstance(value, KINDS[kind]) and (kind == "boolean" or not isinstance(value, bool))
        for kind in allowed
    ):
        yield f"{value!r} is not {allowed}"
    if "enum" in schema and value not in cast("list[Json]", schema["enum"]):
        yield f"{value!r} is not one of {schema['enum']}"
    if isinstance(value, str):
        if re.search(cast(str, schema.get("pattern", "")), value) is None:
            yield f"{value!r} does not match {schema['pattern']}"
        if len(value) < cast(int, schema.get("minLength", 0)):
            yield "empty"
    if isinstance(value, int | float) and value < cast(float, schema.get("minimum", value)):
        yield f"{value} is too small"


def _object(schema: dict[str, Json], value: dict[str, Json], root: dict[str, Json]) -> Iterator[str]:
    properties = cast("dict[str, dict[str, Json]]", schema.get("properties", {}))
    for key in cast("list[str]", schema.get("required", [])):
        if key not in value:
            yield f"{key} is missing"
    others = schema.get("additionalProperties", True)
    names = cast("dict[str, Json]", schema.get("propertyNames", {}))
    for key, part in value.items():
        yield from faults(names, key, root)
        if key in properties:
            yield from faults(properties[key], part, root)
        elif others is False:
            yield f"{key} is unknown"
        elif isinstance(others, dict):
            yield from faults(others, part, root)
