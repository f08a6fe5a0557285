"""Typing narrows the library; an error line pasted from a log finds its runbook."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from breakglass.runbook.load import load_runbook
from breakglass.runbook.model import Runbook
from breakglass.runbook.text_search import index, words

ROOT = Path(__file__).parent.parent.parent / "runbooks"
LIBRARY = [load_runbook(path) for path in sorted(ROOT.glob("*/runbook.yaml"))]
INDEX = index(LIBRARY)
PHRASES = [(r.name, phrase) for r in LIBRARY for phrase in (*r.symptoms, *r.alerts)]
NOISE = st.text(alphabet="qxz0123456789:=[]{}\"'-_/. \t", max_size=60)

PASTED = {
    'level=error event="failed to save session" error="open /dev/shm/session_1: no space left on device"': (
        "outpost-shm-purge"
    ),
    '10.0.0.1 - - [18/Apr/2026:03:11:00 +0000] "GET / HTTP/2.0" 400 Bad Request': "outpost-shm-purge",
    "[FIRING:1] AuthentikOutpostMemoryCritical (authentik critical)": "outpost-shm-purge",
    "2026-04-22T10:31:02Z [ERROR] storage.raft: failed to decode: msgpack decode error [pos 0]": (
        "vault-raft-recovery"
    ),
    "* local node not active but active cluster node not found": "vault-raft-recovery",
    "[FIRING:2] VaultRaftLeaderStuck": "vault-raft-recovery",
}


def names(query: str) -> list[str]:
    return [match.runbook.name for match in INDEX.search(query)]


@pytest.mark.parametrize(("line", "name"), PASTED.items())
def test_a_pasted_line_finds_its_runbook_first(line: str, name: str) -> None:
    assert names(line)[0] == name


@given(st.sampled_from(PHRASES), NOISE, NOISE)
def test_a_phrase_of_a_runbook_is_found_inside_any_noise(
    known: tuple[str, str], before: str, after: str
) -> None:
    name, phrase = known
    found = INDEX.search(f"{before} {phrase} {after}")
    assert name in [match.runbook.name for match in found]
    best = found[0]
    assert best.runbook.name == name or f" {' '.join(words(best.phrase))} " in f" {' '.join(words(phrase))} "


@given(st.sampled_from(LIBRARY), st.data())
def test_every_beginning_of_the_words_of_a_title_finds_it(runbook: Runbook, data: st.DataObject) -> None:
    typed = data.draw(st.lists(st.sampled_from(words(runbook.title)), min_size=1, max_size=4))
    shortened = [word[: data.draw(st.integers(1, len(word)))] for word in typed]
    assert runbook.name in names(" ".join(shortened))


@given(st.text())
@example("İﬁ²٣")
def test_any_text_can_be_searched_for(query: str) -> None:
    found = INDEX.search(query)
    assert len({match.runbook.name for match in found}) == len(found)
    assert [match.score for match in found] == sorted((match.score for match in found), reverse=True)


def test_a_word_that_is_nowhere_finds_nothing() -> None:
    assert names("xyzzy") == []


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("vault down", "vault-raft-recovery"),
        ("sso", "outpost-shm-purge"),
        ("502", "vault-raft-recovery"),
        ("disk full", "outpost-shm-purge"),
        ("valut leader", "vault-raft-recovery"),
        ("regsitry pull", "registry-image-rebuild"),
        ("nfs hang", "nfs-node-reboot"),
        ("everything is down, sso 400", "outpost-shm-purge"),
    ],
)
def test_any_of_the_words_will_do_and_a_typo_is_forgiven(typed: str, name: str) -> None:
    assert names(typed)[0] == name


def test_what_has_more_of_the_words_comes_first() -> None:
    assert names("vault xyzzy")[0] == names("vault")[0]
    assert names("node vault raft")[0] == "vault-raft-recovery"
    assert names("vault node nfs")[0] == "nfs-node-reboot"


def test_a_typo_is_sought_only_where_no_word_begins_so() -> None:
    assert next(match.kind for match in INDEX.search("registry")) == "name"


def test_nothing_typed_lists_everything_in_its_order() -> None:
    assert names("") == [runbook.name for runbook in LIBRARY] == names(" - ")


def test_the_match_names_the_phrase_as_the_runbook_writes_it() -> None:
    best = INDEX.search("write failed: No space left on device (os error 28)")[0]
    assert (best.kind, best.phrase) == ("symptom", "no space left on device")
