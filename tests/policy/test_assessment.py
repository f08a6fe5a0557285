"""What a declared risk makes of what is known: it raises always, and lowers only what is not known."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakglass.policy.placeholders import EXPANSION, VALUE, WORDS
from breakglass.policy.risk import NOT_ASSESSED, Assessment, Judgement, Knowledge, Risk
from breakglass.policy.site_rules import ReadPattern

READS = Judgement(Risk.READ, Knowledge.READS, "ls: reads")
UNKNOWN = Judgement(Risk.CHANGE, Knowledge.UNKNOWN, "my-tool: not known", "my-tool")
CHANGES = Judgement(Risk.CHANGE, Knowledge.CHANGES, "touch: makes a file", "touch")
DESTROYS = Judgement(Risk.DESTRUCTIVE, Knowledge.CHANGES, "rm: deletes", "rm")
PROBES = Judgement(Risk.PROBE, Knowledge.CHANGES, "mount: may hang", "mount")
VOUCHED = Judgement(Risk.READ, Knowledge.READS, "my-tool: this site's", site="my-tool")


@given(st.sampled_from([READS, UNKNOWN, CHANGES, DESTROYS, PROBES]), st.sampled_from(Risk), st.booleans())
def test_what_is_known_to_change_is_never_a_read(found: Judgement, declared: Risk, reason: bool) -> None:
    assessed = Assessment(found, declared, "It is fine." if reason else "")
    if found.knowledge is Knowledge.CHANGES:
        assert assessed.risk is not Risk.READ
    if found.risk is Risk.DESTRUCTIVE:
        assert assessed.risk is Risk.DESTRUCTIVE
    if declared >= found.risk:
        assert assessed.risk is declared
        assert not assessed.is_lowered
    if not reason:
        assert assessed.risk >= found.risk


@pytest.mark.parametrize(
    ("found", "declared", "counts"),
    [
        (UNKNOWN, Risk.READ, Risk.READ),
        (UNKNOWN, Risk.PROBE, Risk.PROBE),
        (CHANGES, Risk.PROBE, Risk.PROBE),
        (CHANGES, Risk.READ, Risk.CHANGE),
        (PROBES, Risk.READ, Risk.PROBE),
        (DESTROYS, Risk.PROBE, Risk.DESTRUCTIVE),
        (READS, Risk.CHANGE, Risk.CHANGE),
    ],
)
def test_a_reason_lowers_what_it_may(found: Judgement, declared: Risk, counts: Risk) -> None:
    assessed = Assessment(found, declared, "It only looks.")
    assert assessed.risk is counts
    assert assessed.is_lowered == (counts < found.risk)
    assert bool(assessed.vouched) == assessed.is_lowered


def test_it_says_by_whose_word() -> None:
    lowered = Assessment(UNKNOWN, Risk.READ, "It only looks.")
    assert lowered.vouched == "by the author's word: It only looks."
    assert replace(lowered, judgement=VOUCHED).vouched == "by this site's word: my-tool"
    assert Assessment(READS).vouched == ""
    assert Assessment(VOUCHED, Risk.CHANGE).vouched == ""


def test_a_site_can_make_a_read_of_what_is_meant_as_one_and_not_known() -> None:
    assert Assessment(UNKNOWN, Risk.READ).may_read
    assert Assessment(UNKNOWN, Risk.READ).risk is Risk.CHANGE
    assert not Assessment(UNKNOWN).may_read
    assert not Assessment(CHANGES, Risk.READ, "It is fine.").may_read
    assert not Assessment(DESTROYS, Risk.READ).may_read


def test_what_nobody_has_looked_at_counts_as_a_change() -> None:
    assert NOT_ASSESSED.risk is Risk.CHANGE


@pytest.mark.parametrize(
    ("command", "fits"),
    [
        ("my-tool status web", True),
        ("my-tool status", False),
        ("my-tool status web extra", False),
        ("my-tool status --force", False),
        ("my-tool status -", False),
        ("my-tool stop web", False),
        ("./my-tool status web", False),
        (f"my-tool status {VALUE}", True),
        (f"my-tool status web{EXPANSION}", True),
        (f"my-tool status {EXPANSION}", False),
        (f"my-tool status web{WORDS}", False),
        (f"my-tool {VALUE} web", False),
    ],
)
def test_a_pattern_is_of_whole_words(command: str, fits: bool) -> None:
    assert ReadPattern(("my-tool", "status", "*")).matches(command.split()) is fits


def test_a_star_is_a_word_and_never_nothing() -> None:
    assert not ReadPattern(("my-tool", "*")).matches(("my-tool", ""))
    assert ReadPattern(("my-tool", "*")).matches(("my-tool", "two words"))
