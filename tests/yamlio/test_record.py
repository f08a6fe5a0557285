from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from breakglass.values import Json
from breakglass.yamlio.json_schema import schema_of
from breakglass.yamlio.position import InvalidFileError, Position
from breakglass.yamlio.record import (
    NOT_WRITTEN,
    Given,
    Written,
    derived,
    inlined,
    key,
    one_of,
    placed,
    record,
    shape_of,
)
from breakglass.yamlio.shape import (
    TEXT,
    Shape,
    Unreadable,
    integer,
    list_of,
    mapping_of,
    read_as,
)
from breakglass.yamlio.source import parse
from tests.runbook.format_support import place, unmarked

FILE = Path("file.yaml")


@record("lamp", short="colour")
class Lamp:
    """What shines.

    The rest is for readers of the program.
    """

    colour: str = key("Its colour.")
    watts: int = key("How bright.", integer(1), default=40)


@record("signal", at_most_one_of=("loud", "silent"), kw_only=True)
class Signal:
    name: str = derived(lambda given: given.name.text if given.name is not None else "")
    lamp: Lamp = key("What shines.", instead=Lamp("white"))
    loud: bool = key("It rings.", default=False)
    silent: bool = key("It never rings.", default=False)
    at: Position = derived(lambda given: given.start)


@record("turn", exactly_one_of=("left", "right"))
class Turn:
    left: int | None = key("To the left.", default=None)
    right: int | None = key("To the right.", default=None)

    def checked(self, given: Given) -> "Turn":
        if self.left is not None and self.left > 180:
            given.problem(given.at("left"), "that is a turn to the right")
        return self


@record("move", kw_only=True)
class Move:
    turn: Turn = inlined(default=Turn(left=0))
    what: int | str = one_of({"steps": ("So many steps.", integer()), "to": ("A place.", TEXT)})
    total: int = derived(
        lambda given: sum(value for value in given.values.values() if isinstance(value, int)),
        keys={"more": ("Added to the total.", integer())},
        default=0,
    )
    position: Position = placed()


@record("leap", kw_only=True)
class Leap(Move):
    """A move with a height."""

    height: int = key("How high.")


SIGNALS = mapping_of(shape_of(Signal))


def problems_of(shape: Shape[object], source: str) -> list[tuple[tuple[int, int], str]]:
    with pytest.raises(InvalidFileError) as caught:
        read_as(shape, parse(source, FILE))
    return [(place(problem), problem.message) for problem in caught.value.problems]


def test_a_record_is_a_frozen_dataclass():
    lamp = Lamp("red", watts=10)
    with pytest.raises(FrozenInstanceError):
        lamp.watts = 20  # type: ignore[misc]
    assert lamp == Lamp("red", 10)


def test_the_value_of_one_key_may_stand_for_the_record():
    assert read_as(shape_of(Lamp), parse("red", FILE)) == Lamp("red")
    assert problems_of(shape_of(Lamp), "[]") == [
        ((1, 1), "expected text, or a mapping with `colour`, not a list")
    ]


def test_an_entry_of_a_mapping_knows_its_name_and_where_it_stands():
    signals = read_as(SIGNALS, parse("\nfirst:\n  lamp: red\n", FILE))
    assert signals["first"].name == "first"
    assert signals["first"].at == Position(FILE, 2, 1)


@pytest.mark.parametrize(
    ("shape", "source", "message"),
    [
        (
            SIGNALS,
            "a: {lamp: red, loud: true, §silent: true}",
            "a signal has one of loud or silent, not several",
        ),
        (SIGNALS, "a: {§lamb: red}", "unknown key 'lamb' in a signal; did you mean 'lamp'?"),
        (SIGNALS, "a: §{loud: true}", "a signal needs 'lamp'"),
        (shape_of(Turn), "left: 1\n§right: 2", "a turn has one of left or right, not several"),
        (shape_of(Turn), "§{}", "a turn needs one of left, right"),
        (shape_of(Turn), "left: §200", "that is a turn to the right"),
        (shape_of(Move), "{left: 1, steps: 1, §to: x}", "a move has one of steps or to, not several"),
        (shape_of(Move), "§{left: 3}", "a move needs one of steps, to"),
        (shape_of(Move), "{left: §many, steps: 1}", "expected a whole number, not the text 'many'"),
        (shape_of(Move), "{left: 1, steps: 1, more: §much}", "expected a whole number, not the text 'much'"),
        (shape_of(Move), "§{steps: 3}", "a move needs one of left, right"),
        (shape_of(Leap), "§{left: 1, steps: 1}", "a leap needs 'height'"),
    ],
)
def test_each_fault_is_told_once_at_its_place(shape: Shape[object], source: str, message: str):
    clean, places = unmarked(source)
    assert problems_of(shape, clean) == [(places[0], message)]


def test_what_stands_in_for_a_missing_key_lets_the_rest_be_checked():
    problems = problems_of(SIGNALS, "a: {loud: maybe}")
    assert [message for _, message in problems] == [
        "a signal needs 'lamp'",
        "expected true or false, not the text 'maybe'",
    ]


def test_a_misspelled_key_is_read_as_the_one_that_was_meant():
    problems = problems_of(shape_of(Lamp), "{color: [], watts: 0}")
    assert [message for _, message in problems] == [
        "unknown key 'color' in a lamp; did you mean 'colour'?",
        "expected text, not a list",
        "expected a whole number of at least 1, not the number 0",
    ]


def test_a_record_may_be_written_among_the_keys_of_another():
    move = read_as(shape_of(Move), parse("{left: 3, steps: 4}", FILE))
    assert (move.turn, move.what) == (Turn(left=3), 4)


def test_what_is_derived_may_have_keys_of_its_own():
    move = read_as(shape_of(Move), parse("{left: 3, steps: 4, more: 5}", FILE))
    assert move.total == 12
    assert Move(what="home", position=move.position).total == 0


def test_a_record_inherits_the_keys_of_another():
    leap = read_as(shape_of(Leap), parse("{to: x, height: 2, left: 1}", FILE))
    assert (leap.what, leap.height, leap.turn) == ("x", 2, Turn(left=1))


def test_a_record_may_know_where_its_keys_stand_and_what_was_lost():
    @record("note")
    class Note:
        lines: tuple[str, ...] = key("Its lines.", list_of(TEXT), default=())
        written: Written = derived(lambda given: given.written, default=NOT_WRITTEN, compare=False)

    problems: list[object] = []
    note = shape_of(Note).read(parse("\nlines: [a, b, []]\n", FILE), problems)  # type: ignore[arg-type]
    assert not isinstance(note, Unreadable)
    assert note == Note(("a", "b"))
    assert note.written.lost == {"lines"}
    assert note.written.at("lines", "b") == Position(FILE, 2, 12)
    assert note.written.at("title") == Position(FILE, 2, 1)
    assert not Note().written.has("lines")


def test_a_field_of_a_type_without_a_shape_is_refused():
    @record("odd")
    class Odd:
        value: complex = key("A number of two parts.")

    with pytest.raises(TypeError, match="no shape is known for"):
        read_as(shape_of(Odd), parse("value: 1", FILE))


def test_the_schema_describes_keys_gives_defaults_and_says_what_excludes_what():
    definitions = schema_of(SIGNALS, "Signals")["$defs"]
    assert isinstance(definitions, dict)
    assert definitions["lamp"] == {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "colour": {"description": "Its colour.", "type": "string", "minLength": 1},
            "watts": {"description": "How bright.", "type": "integer", "minimum": 1, "default": 40},
        },
        "description": "What shines.",
        "required": ["colour"],
    }
    signal = definitions["signal"]
    assert isinstance(signal, dict)
    excluding: list[Json] = [{"required": ["loud"]}, {"required": ["silent"]}]
    assert signal["oneOf"] == [*excluding, {"not": {"anyOf": excluding}}]


def test_of_two_choices_the_schema_demands_both():
    definitions = schema_of(shape_of(Move), "Moves")["$defs"]
    assert isinstance(definitions, dict)
    move = definitions["move"]
    assert isinstance(move, dict)
    assert move["allOf"] == [
        {"oneOf": [{"required": ["left"]}, {"required": ["right"]}]},
        {"oneOf": [{"required": ["steps"]}, {"required": ["to"]}]},
    ]
    assert isinstance(move["properties"], dict)
    assert list(move["properties"]) == ["left", "right", "steps", "to", "more"]
