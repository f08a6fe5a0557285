"""Commands that a site counts as reads of its own."""

import json
from pathlib import Path

import pytest

from breakglass.site.load import read_site

PATH = Path("site.yaml")


def read(*patterns: str) -> tuple[list[str], list[str]]:
    """The patterns of a site that names these, and what is said of them."""
    listed = "".join(f"  - {json.dumps(each)}\n" for each in patterns)
    site, problems = read_site(f"site: lab\nreads:\n{listed}", PATH)
    return [each.text for each in site.reads] if site is not None else [], [each.message for each in problems]


def test_a_site_names_reads_of_its_own() -> None:
    patterns = ["raidctl status *", "/opt/lab/bin/check --verbose"]
    assert read(*patterns) == (patterns, [])


@pytest.mark.parametrize(
    ("pattern", "wrong"),
    [
        ("* status", "does not name a program"),
        ("raid* status", "does not name a program"),
        ("raidctl stat*", "* within a word"),
        ("raidctl  status", "two blanks"),
        (" raidctl", "two blanks"),
        ("raidctl | cat", "no list of plain words"),
        ("raidctl 'a b'", "no list of plain words"),
        ("raidctl $x", "no list of plain words"),
        ("raidctl \ue000", "no list of plain words"),
    ],
)
def test_a_pattern_that_would_not_mean_what_it_says_is_refused(pattern: str, wrong: str) -> None:
    found, (message,) = read(pattern)
    assert found == []
    assert wrong in message


@pytest.mark.parametrize("pattern", ["rm *", "rm -f /tmp/x", "kill *"])
def test_a_site_is_told_where_a_pattern_has_no_effect(pattern: str) -> None:
    found, (message,) = read(pattern)
    assert found == [pattern]
    assert "no effect" in message
