"""What a site adds to what is known: reads of its own, wherever such a command stands, and bare verbs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakglass.policy.commands import judge_command, judge_kubectl, judge_shell
from breakglass.policy.risk import Judgement, Knowledge, Risk
from breakglass.policy.site_rules import FORCED_VERBS, ReadPattern, judge_verb

OWN = (ReadPattern(("raidctl", "status", "*")), ReadPattern(("/opt/lab/check", "--verbose")))


def is_read_by_the_site(found: Judgement) -> bool:
    assert bool(found.site) == (found.risk is Risk.READ)
    return bool(found.site)


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ("raidctl status disk0", True),
        ("/opt/lab/check --verbose", True),
        ("raidctl status disk0 | grep -c ok", True),
        ("ls; raidctl status disk0 2>/dev/null || true", True),
        ('for d in a b; do raidctl status "x$d"; done', True),
        ("echo $(raidctl status disk0)", True),
        ("sudo -n raidctl status disk0", True),
        ("timeout 5 raidctl status disk0", True),
        ("sh -c 'raidctl status disk0'", True),
        ("kubectl exec web-1 -- raidctl status disk0", True),
        ("raidctl status --repair", False),
        ("raidctl status", False),
        ("raidctl status a b", False),
        ("raidctl repair disk0", False),
        ("/opt/lab/check", False),
        ("/opt/lab/check --verbose --fix", False),
        ("/tmp/raidctl status disk0", False),
        ("raidctl status $d", False),
        ('raidctl status "$d"', False),
        ("raidctl status d*", False),
        ("raidctl status disk0 > /etc/x", False),
        ("PATH=/tmp raidctl status disk0", False),
        ("raidctl status disk0; other", False),
        ("raidctl status disk0; rm x", False),
        ("raidctl status disk0; mount -t nfs a:/b /c", False),
        ("raidctl status $(rm x)", False),
        ("xargs raidctl status", False),
    ],
)
def test_a_site_s_own_read_is_one_wherever_it_stands_whole(text: str, reads: bool) -> None:
    assert is_read_by_the_site(judge_shell(text, OWN)) is reads
    assert judge_shell(text).risk is not Risk.READ


def test_a_command_in_a_container_is_one_of_the_site_s_reads() -> None:
    found = judge_kubectl(("exec", "web-1", "--", "raidctl", "status", "disk0"), OWN)
    assert (found.risk, found.site) == (Risk.READ, "raidctl status *")


def test_every_read_of_the_site_is_named() -> None:
    found = judge_shell("raidctl status a; /opt/lab/check --verbose; raidctl status b", OWN)
    assert found.site == "raidctl status *; /opt/lab/check --verbose"


KNOWN = ["rm -f /tmp/x", "kill 1", "touch x", "curl -X DELETE http://x", "mount -t nfs a:/b /c", "reboot"]


@given(st.sampled_from(KNOWN))
def test_no_site_makes_a_read_of_what_is_known_to_change(line: str) -> None:
    words = line.split()
    found = judge_command(words, (ReadPattern(tuple(words)),))
    assert found == judge_command(words)
    assert found.knowledge is Knowledge.CHANGES


def test_what_is_known_to_read_is_not_said_to_be_the_site_s() -> None:
    assert judge_command(("ls", "-l"), (ReadPattern(("ls", "-l")),)).site == ""


@pytest.mark.parametrize(
    ("verb", "risk", "knowledge"),
    [
        ("status", Risk.READ, Knowledge.READS),
        ("start", Risk.CHANGE, Knowledge.CHANGES),
        ("stop", Risk.DESTRUCTIVE, Knowledge.CHANGES),
        ("other", Risk.CHANGE, Knowledge.UNKNOWN),
        ("status now", Risk.CHANGE, Knowledge.UNKNOWN),
    ],
)
def test_bare_verbs(verb: str, risk: Risk, knowledge: Knowledge) -> None:
    found = judge_verb(verb.split())
    assert (found.risk, found.knowledge) == (risk, knowledge)


@pytest.mark.parametrize("verb", ["status", "stop", "start", "reset", "cycle", "forensics"])
def test_the_verbs_are_programs_like_any_other_where_no_host_takes_only_them(verb: str) -> None:
    assert judge_command((verb,)).knowledge is Knowledge.UNKNOWN


def test_each_verb_of_a_forced_command_counts_as_what_it_does() -> None:
    found = {verb: judge_verb([verb]) for verb in FORCED_VERBS}
    assert {verb: each.risk.word for verb, each in found.items()} == {
        "status": "read",
        "forensics": "read",
        "start": "change",
        "reset": "destructive",
        "stop": "destructive",
        "cycle": "destructive",
    }
    assert {each.knowledge for each in found.values() if each.risk is not Risk.READ} == {Knowledge.CHANGES}
    assert judge_verb(["status", "now"]).knowledge is Knowledge.UNKNOWN
