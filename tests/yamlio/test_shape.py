from collections.abc import Mapping
from pathlib import Path

import pytest

from breakglass.yamlio.json_schema import schema_of
from breakglass.yamlio.position import InvalidFileError
from breakglass.yamlio.record import key, record, shape_of
from breakglass.yamlio.shape import (
    BOOLEAN,
    DURATION,
    JSON,
    PATH,
    TEXT,
    Shape,
    by_kind,
    choice,
    converted,
    integer,
    list_of,
    number,
    read_as,
    text,
)
from breakglass.yamlio.shape_base import nearest
from breakglass.yamlio.source import parse
from tests.runbook.format_support import place, unmarked

FILE = Path("folder/file.yaml")


@record("host")
class Host:
    address: str = key("Name or IP address.")
    port: int = key("Where it listens.", integer(1, 65535), default=22)
    pause: float | None = key("How long it rests.", DURATION, default=None)


@record("site")
class Site:
    hosts: Mapping[str, Host] = key("Machines.")


SITE = shape_of(Site)


def test_a_record_is_read_into_its_value():
    node = parse("hosts: {a: {address: b}, c: {address: d, port: 1, pause: 500ms}}", FILE)
    assert read_as(SITE, node) == Site({"a": Host("b", 22, None), "c": Host("d", 1, 0.5)})


@pytest.mark.parametrize(
    ("shape", "source", "messages"),
    [
        (SITE, "§[]", ["expected a site (a mapping), not a list"]),
        (SITE, "§", ["expected a site (a mapping), not nothing"]),
        (SITE, "§{}", ["a site needs 'hosts'"]),
        (SITE, "hosts: §~", ["expected a mapping, not nothing"]),
        (
            SITE,
            "hosts: {a: {§adress: §1, port: §99999}, b: §{pause: §on}, c: §1}\n§zone: 1",
            [
                "unknown key 'adress' in a host; did you mean 'address'?",
                "expected text, not the number 1; quote it",
                "expected a whole number from 1 to 65535, not the number 99999",
                "a host needs 'address'",
                "expected a duration such as 500ms, 10s, 2m or a number of seconds, not the text 'on'",
                "expected a host (a mapping), not the number 1",
                "unknown key 'zone' in a site; known: hosts",
            ],
        ),
        (TEXT, "§''", ["expected text"]),
        (TEXT, "§true", ["expected text, not true (true or false); quote it"]),
        (text("a name", pattern="[a-z]+"), "§A b", ["'A b' is not a name; it must match [a-z]+"]),
        (BOOLEAN, "§yes", ["expected true or false, not the text 'yes'"]),
        (integer(), "§1.5", ["expected a whole number"]),
        (integer(minimum=2), "§1", ["of at least 2"]),
        (number(maximum=2), "§3", ["of at most 2"]),
        (number(), "§true", ["expected a number"]),
        (choice({"soft": 1, "hard": 2}), "§sort", ["'sort' is not known here; did you mean 'soft'?"]),
        (choice({"soft": 1}), "§{}", ["expected one of soft, not a mapping"]),
        (list_of(integer(), minimum=1), "§[]", ["and this one is empty"]),
        (list_of(integer(), maximum=2), "[1, 2, §3, 4]", ["a list of at most 2 items, not 4"]),
        (TEXT, "§" + "x" * 40_000, ["40000 characters, and 32768 are the most"]),
        (list_of(integer()), "[1, §a, §[]]", ["expected a whole number"] * 2),
        (by_kind("a word or a list", scalar=TEXT), "§{}", ["expected a word or a list, not a mapping"]),
        (PATH, "§1", ["expected text"]),
        (PATH, "§~nosuchuserhere/x", ["nosuchuserhere"]),
    ],
)
def test_every_fault_is_told_at_its_place(shape: Shape[object], source: str, messages: list[str]):
    clean, places = unmarked(source)
    with pytest.raises(InvalidFileError) as caught:
        read_as(shape, parse(clean, FILE))
    problems = caught.value.problems
    assert [place(problem) for problem in problems] == places
    for problem, message in zip(problems, messages, strict=True):
        assert message in problem.message


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("10s", 10), ("2m", 120), ("500ms", 0.5), ("1h", 3600), ("1.5s", 1.5), ("3", 3), ("0.25", 0.25)],
)
def test_a_duration_is_seconds(written: str, seconds: float):
    assert read_as(DURATION, parse(written, FILE)) == pytest.approx(seconds)


@pytest.mark.parametrize("written", ["-1", "-1s", "1 h", "s", "1d", "true", "1e400s", "[]"])
def test_what_is_no_duration_is_refused(written: str):
    with pytest.raises(InvalidFileError, match="expected a duration"):
        read_as(DURATION, parse(written, FILE))


def test_a_relative_path_starts_at_its_file(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    assert read_as(PATH, parse("a/b", FILE)) == Path("folder/a/b")
    assert read_as(PATH, parse("/a/b", FILE)) == Path("/a/b")
    assert read_as(PATH, parse("~/a", FILE)) == Path("/home/somebody/a")


def test_numbers_as_written_keep_their_digits():
    assert read_as(text(as_written=True), parse("0644", FILE)) == "0644"


def test_any_data_is_read_as_it_is():
    assert read_as(JSON, parse("{a: [1, ~, x], b: {}}", FILE)) == {"a": [1, None, "x"], "b": {}}


def test_a_converted_value_takes_the_place_of_what_was_written():
    doubled = converted(integer(), lambda value, node, problems: value * 2)
    assert read_as(doubled, parse("4", FILE)) == 8


def test_the_schema_says_what_the_reader_demands():
    assert schema_of(SITE, "A site") == {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A site",
        "$ref": "#/$defs/site",
        "$defs": {
            "host": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "address": {"description": "Name or IP address.", "type": "string", "minLength": 1},
                    "port": {
                        "description": "Where it listens.",
                        "type": "integer",
                        "minimum": 1,
                        "maximum": 65535,
                        "default": 22,
                    },
                    "pause": {
                        "description": "How long it rests.",
                        "title": "duration",
                        "anyOf": [
                            {"type": "number", "minimum": 0},
                            {"type": "string", "pattern": r"^(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h)$"},
                        ],
                    },
                },
                "required": ["address"],
            },
            "site": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "hosts": {
                        "description": "Machines.",
                        "type": "object",
                        "propertyNames": {"type": "string", "minLength": 1},
                        "additionalProperties": {"$ref": "#/$defs/host"},
                    }
                },
                "required": ["hosts"],
            },
        },
    }


@pytest.mark.parametrize(
    ("name", "known", "expected"),
    [
        ("expekt", ["expect", "except"], "expect"),
        ("resource_version", ["resource-version"], "resource-version"),
        ("Until", ["until"], "until"),
        ("zzz", ["until"], None),
        ("x", [], None),
    ],
)
def test_the_nearest_name_is_found(name: str, known: list[str], expected: str | None):
    assert nearest(name, known) == expected
