"""Functions that turn text into data."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakglass.runbook import functions
from breakglass.runbook.expression import EvaluationError, Expression, evaluate
from breakglass.values import Json
from breakglass.yamlio.position import Position

DF = """\
Filesystem           1K-blocks    Used Available Use% Mounted on
shm                      65536   65536         0 100% /dev/shm
/dev/mapper/a-very-long-name-that-wraps
                         10240    1024      9216  10% /mnt/with blank
"""
PODS = """\
NAME      READY   STATUS              RESTARTS   AGE
vault-0   0/2     ContainerCreating   0          14m
vault-1   2/2     Running             0          9d
"""
QM_LIST = """\
      VMID NAME                 STATUS     MEM(MB)
       201 k8s-node1            running    49152
"""


def value_of(source: str, text: str) -> Json:
    return evaluate(Expression(source, Position(Path("x"), 1, 1)), {"text": text})


@pytest.mark.parametrize(
    ("source", "text", "value"),
    [
        ("text.df()[0].use_percent", DF, 100),
        ("text.df()[1].mounted_on", DF, "/mnt/with blank"),
        ("text.df().map(d, d.available)", DF, [0, 9216]),
        ("text.columns()[0].status", PODS, "ContainerCreating"),
        ("text.columns().map(p, p.name)", PODS, ["vault-0", "vault-1"]),
        ("text.columns()[0].vmid", QM_LIST, "201"),
        ("text.lines()", "a\n\n b \n", ["a", " b "]),
        ("text.key_values()", "boot: order=scsi0\nlock=backup\nSeal Type      shamir\n", None),
        ("text.json().a[1]", '{"a": [1, 2]}', 2),
        ("text.yaml().on.b", "on: {b: yes}", "yes"),
        ("text.first('uid=(\\\\d+)')", "x uid=41 uid=42", "41"),
        ("text.first('nothing')", "x", None),
        ("text.all('\\\\d+')", "1 and 22", ["1", "22"]),
        ("text.trim().to_int() + 1", " 41\n", 42),
        ("text.lower()", "ABC", "abc"),
    ],
)
def test_text_becomes_data(source: str, text: str, value: Json) -> None:
    found = value_of(source, text)
    if value is None and source.endswith("key_values()"):
        value = {"boot": "order=scsi0", "lock": "backup", "Seal Type": "shamir"}
    assert found == value


@pytest.mark.parametrize(
    ("source", "text", "reason"),
    [
        ("text.df()", "no table", "df()"),
        ("text.json()", "{", "json()"),
        ("text.yaml()", "a: [", "yaml()"),
        ("text.to_int()", "many", "to_int()"),
        ("text.first('(')", "x", "pattern"),
        ("text.age_seconds()", "yesterday", "age_seconds()"),
    ],
)
def test_text_of_another_form_is_an_error_that_names_the_function(
    source: str, text: str, reason: str
) -> None:
    with pytest.raises(EvaluationError) as caught:
        value_of(source, text)
    assert reason in str(caught.value)


@given(text=st.text())
def test_no_text_makes_a_function_fail_in_another_way(text: str) -> None:
    for name in ("lines", "columns", "df", "key_values", "json", "yaml", "to_int", "age_seconds"):
        try:
            value_of(f"text.{name}()", text)
        except EvaluationError:
            continue


LINES = st.lists(st.text(alphabet="ab1-:=/% \t", max_size=24), max_size=4).map("\n".join)


@given(LINES)
def test_keys_and_values_are_those_of_the_pattern_that_says_what_a_line_is(text: str) -> None:
    line_of = re.compile(r"^\s*([^:=\s][^:=]*?)\s*(?:[:=]\s*|\s{2,}|\t)(.*?)\s*$")
    found = [match for line in text.splitlines() if (match := line_of.match(line))]
    assert functions.key_values(text) == {match[1]: match[2] for match in found}


@given(
    st.lists(st.sampled_from(["/d", "a", "1", "-2", "3%", "-", "%", "/x y", " "]), max_size=12).map(" ".join)
)
def test_a_line_of_df_is_what_the_pattern_for_one_says(line: str) -> None:
    line_of = re.compile(r"^(\S.*?)\s+(\d+)\s+(\d+)\s+(-?\d+)\s+(\d+|-)%?\s+(/.*)$")
    match = line_of.match(line.strip())
    try:
        (row,) = functions.df(line.strip())
    except ValueError:
        assert match is None
        return
    assert match is not None
    assert (row["filesystem"], row["blocks"], row["mounted_on"]) == (match[1], int(match[2]), match[6])
    assert (row["used"], row["available"]) == (int(match[3]), int(match[4]))


def test_json_that_is_nested_too_deep_is_an_error() -> None:
    with pytest.raises(EvaluationError, match="nested more than 100 levels"):
        value_of("text.json()", "[" * 101 + "]" * 101)
    assert value_of("size(text.json())", "[" * 100 + "]" * 100) == 1
