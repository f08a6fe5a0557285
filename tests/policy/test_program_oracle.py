"""What the grammars of sed, awk and jq let through, run by those programs themselves: it calls nothing,
leaves every file as it was, and shows nothing of the environment."""

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from breakglass.policy import awk, jq, sed
from tests.policy.generated_programs import (
    AWK_HARMFUL,
    JQ_HARMFUL,
    SED_HARMFUL,
    awk_programs,
    jq_programs,
    sed_programs,
)
from tests.policy.scratch import SECRET, Scratch
from tests.policy.test_awk import EVERYDAY as EVERYDAY_AWK
from tests.policy.test_jq import EVERYDAY as EVERYDAY_JQ
from tests.policy.test_sed import EVERYDAY as EVERYDAY_SED

SHORT, LONG = 100, 20_000
"""Programs that are generated of each kind: in the suite, and with `--soak`."""

SED = ("/usr/bin/sed", "/usr/bin/sed -n -E", "/bin/busybox sed")
AWK = ("/usr/bin/gawk", "/usr/bin/mawk", "/bin/busybox awk")


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    return Scratch.make(tmp_path / "scratch")


@pytest.mark.parametrize("program", SED_HARMFUL)
def test_the_oracle_sees_what_a_harmful_sed_program_does(program: str, scratch: Scratch) -> None:
    assert scratch.traces_of(SED, program)


@pytest.mark.parametrize("program", AWK_HARMFUL)
def test_the_oracle_sees_what_a_harmful_awk_program_does(program: str, scratch: Scratch) -> None:
    assert scratch.traces_of(AWK, program)


@pytest.mark.parametrize("program", JQ_HARMFUL)
def test_the_oracle_sees_what_a_harmful_jq_program_shows(program: str, scratch: Scratch) -> None:
    assert SECRET in scratch.shown_by("/usr/bin/jq", program)


def test_sed_programs_that_are_let_through_change_nothing(scratch: Scratch, soak: bool) -> None:
    def change_nothing(program: str) -> None:
        assert scratch.traces_of(SED, program) == []

    hold(change_nothing, sed.objection, sed_programs(EVERYDAY_SED), [*SED_HARMFUL, *EVERYDAY_SED], soak)


def test_awk_programs_that_are_let_through_change_nothing(scratch: Scratch, soak: bool) -> None:
    def change_nothing(program: str) -> None:
        assert scratch.traces_of(AWK, program) == []

    hold(change_nothing, awk.objection, awk_programs(EVERYDAY_AWK), [*AWK_HARMFUL, *EVERYDAY_AWK], soak)


def test_jq_programs_that_are_let_through_show_no_secret(scratch: Scratch, soak: bool) -> None:
    def show_no_secret(program: str) -> None:
        assert SECRET not in scratch.shown_by("/usr/bin/jq", program)

    hold(show_no_secret, jq.objection, jq_programs(EVERYDAY_JQ), [*JQ_HARMFUL, *EVERYDAY_JQ], soak)


def hold(
    harmless: Callable[[str], None],
    objection: Callable[[str], str],
    programs: st.SearchStrategy[str],
    known: Sequence[str],
    soak: bool,
) -> None:
    """Try what is let through of the known programs, and of as many generated ones as the form asks for."""
    counts = Counter[str]()

    def try_one(program: str) -> None:
        let_through = objection(program) == ""
        counts["let through" if let_through else "objected to"] += 1
        if let_through:
            harmless(program)

    for program in known:
        try_one(program)
    form = settings(
        max_examples=LONG if soak else SHORT, suppress_health_check=(HealthCheck.too_slow,), database=None
    )
    form(given(programs)(try_one))()
    sys.stdout.write(f"\n{objection.__module__}: {dict(counts)}\n")
    assert counts["let through"] > len(known) // 2
