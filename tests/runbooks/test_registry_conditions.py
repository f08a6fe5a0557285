"""Conditions of `registry-image-rebuild`, each with an answer that says nothing, or something else: none of
them may hold where nobody knows."""

from collections.abc import Mapping

import pytest

from breakglass.engine.read import judged_expectation
from breakglass.engine.scope import Scopes
from breakglass.engine.triage import captured_of
from breakglass.runbook.load import load_runbook
from breakglass.values import Json
from tests.runbooks.support import RUNBOOKS

RUNBOOK = load_runbook(RUNBOOKS / "registry-image-rebuild" / "runbook.yaml")


def failing(step: str, result: Mapping[str, Json], **values: Json) -> list[str]:
    """What the expectations of a step say of a result that they do not hold for, given earlier values."""
    read = RUNBOOK.step(step)
    scope: dict[str, Json] = {"session": {"mode": "live"}, "result": {"message": "", **result}, **values}
    scopes = Scopes(scope, scope)
    scopes = scopes.plus(**captured_of(read, scopes))
    judged = [judged_expectation(step, 1, each, scopes) for each in read.expect]
    return [each.message for each in judged if not each.holds]


def walk_of_the_registry(verdict: str = "healthy", **differs: Json) -> dict[str, Json]:
    """What `registry-integrity` gives for a registry of three tags."""
    nothing: dict[str, Json] = {
        name: [] for name in ("broken", "unreadable", "unsettled", "named", "faults", "digests")
    }
    findings: dict[str, Json] = {
        **nothing,
        "verdict": verdict,
        "complete": verdict != "incomplete",
        "checked": "sizes",
        "counts": {"tags": 3},
        **differs,
    }
    return {"json": findings}


OF_WALKS: dict[str, dict[str, Json]] = {
    "whole": {"deferred": [], "kept": []},
    "collect-named": {"harmless": []},
    "after-collection": {"kept": [], "tags_before": 3},
}
"""Steps that judge by a walk of all the registry, and the values from before that they want."""


@pytest.mark.parametrize("step", OF_WALKS)
@pytest.mark.parametrize(
    "seen",
    [
        walk_of_the_registry("incomplete", faults=["app: its tags cannot be listed: 502"]),
        walk_of_the_registry("wrong-backend", counts={"tags": 0}),
        walk_of_the_registry("empty", counts={"tags": 0}),
        walk_of_the_registry(counts={"tags": 0}),
    ],
    ids=["incomplete", "wrong backend", "empty", "no tag at all"],
)
def test_a_walk_that_has_not_seen_the_registry_proves_nothing(step: str, seen: dict[str, Json]) -> None:
    assert failing(step, walk_of_the_registry(), **OF_WALKS[step]) == []
    assert failing(step, seen, **OF_WALKS[step]) != []


def test_an_image_that_answers_once_so_and_once_otherwise_is_not_whole() -> None:
    flaps: dict[str, Json] = {"repository": "app", "tag": "v1", "tags": ["v1"], "kind": "layer"}
    seen = walk_of_the_registry("unsettled", unsettled=[flaps])
    assert failing("whole", seen, deferred=[], kept=[]) == ["Not whole: app:v1"]
    assert failing("whole", seen, deferred=[], kept=[{"repository": "app", "tags": ["v1"]}]) == []


def test_a_tag_that_is_gone_after_a_collection_is_noticed() -> None:
    assert failing("after-collection", walk_of_the_registry(), kept=[], tags_before=4) != []


def test_nothing_is_taken_for_unneeded_on_the_word_of_a_list_that_may_be_short() -> None:
    seen = walk_of_the_registry("incomplete")
    assert failing("still-broken", walk_of_the_registry(), doomed=[]) == []
    assert failing("still-broken", seen, doomed=[]) != []
    assert failing("unused-nodes", {"json": {"items": []}}, doomed=[], gone_tags=[]) != []


@pytest.mark.parametrize(
    ("exit", "text", "holds"),
    [
        (0, "indexes: 163 inspected\n", True),
        (1, "Traceback (most recent call last):\n", False),
        (127, "", False),
        (0, "", False),
        (1, "WARNING [private/app] ORPHAN INDEX: 41c86a7e0d12 missing child 9f0b3c5d7a21\n", False),
        (1, "WARNING [ghcr/uv] ORPHAN INDEX: 41c86a7e0d12 missing child 9f0b3c5d7a21\n", True),
    ],
)
def test_a_scanner_that_says_nothing_does_not_agree(exit: int, text: str, holds: bool) -> None:
    assert (failing("scan", {"exit": exit, "text": text}, left=[]) == []) == holds


def test_a_collection_whose_blobs_were_not_all_read_is_not_run() -> None:
    blobs = "".join(f"blob eligible for deletion: sha256:{number:064x}\n" for number in range(2))
    told = "5 blobs marked, 2 blobs and 0 manifests eligible for deletion\n"
    assert failing("collect-shown", {"exit": 0, "text": told + blobs}) == []
    assert failing("collect-shown", {"exit": 0, "text": told.replace("2 blobs", "3 blobs") + blobs}) != []


@pytest.mark.parametrize(
    ("exit", "stderr", "holds"),
    [
        (0, "nginx: configuration file /etc/nginx/nginx.conf test is successful\n", True),
        (1, 'nginx: [emerg] host not found in upstream "registry-quay:5000"\n', False),
        (0, "", False),
    ],
)
@pytest.mark.parametrize("step", ["proxy-config", "proxy-ready"])
def test_a_proxy_that_would_not_start_again_is_not_restarted(
    step: str, exit: int, stderr: str, holds: bool
) -> None:
    assert (failing(step, {"exit": exit, "stderr": stderr}) == []) == holds


def test_a_tag_that_can_be_pulled_is_not_pushed_over() -> None:
    target: dict[str, Json] = {"repository": "app"}
    broken: dict[str, Json] = {"tags": ["v1"], "pulls": "none"}
    for pulls in ("all", "some", "unknown"):
        seen = walk_of_the_registry(digests=[{**broken, "pulls": pulls}])
        assert failing("tag-still-broken", seen, target=target, tag="v1") != []
    assert failing("tag-still-broken", walk_of_the_registry(digests=[broken]), target=target, tag="v1") == []
