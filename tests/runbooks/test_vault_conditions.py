"""What the Vault runbook decides from what was read, where a wrong decision would do harm. Each case is a
reading that once allowed too much, beside one that may go on."""

from collections.abc import Sequence

import pytest

from breakglass.engine.read import judged_expectation
from breakglass.engine.scope import Scopes, alike
from breakglass.runbook.load import load_runbook
from breakglass.runbook.steps import Expectation, Step
from breakglass.values import Json
from tests.runbooks.support import RUNBOOKS

RUNBOOK = load_runbook(RUNBOOKS / "vault-raft-recovery" / "runbook.yaml")
VOTERS: Json = ["vault-0", "vault-1", "vault-2"]
INPUTS: Json = {"voters": 3, "namespace": "vault", "selector": "app=vault", "statefulset": "vault"}
FORCING = ("force", "force-block", "force-off")


def answer(**given: Json) -> Json:
    """A result as an expression sees it, with what is given."""
    return {"exit": 0, "status": None, "text": "", "json": None, "fault": "", "message": "", **given}


def scope_of(step: Step, **names: Json) -> Scopes:
    """What a step sees, its captures included as far as they have a value."""
    scope = alike({"inputs": INPUTS, "names": VOTERS, **names})
    for name, expression in step.capture.items():
        scope = scope.plus(**{name: scope.evaluated(expression)})
    return scope


def captured(step_id: str, name: str, **names: Json) -> Json:
    return scope_of(RUNBOOK.step(step_id), **names).real[name]


def goes_on(step_id: str, **names: Json) -> bool:
    """Whether every expectation of a step holds."""
    step = RUNBOOK.step(step_id)
    scope = scope_of(step, **names)
    return all(judged_expectation(step.id, 1, each, scope).holds for each in step.expect)


def guarded(step_id: str, **names: Json) -> bool:
    """Whether every guard of a step holds."""
    scope = alike({"inputs": INPUTS, "names": VOTERS, **names})
    guards = [Expectation(each.that, each.otherwise) for each in RUNBOOK.step(step_id).guards]
    return all(judged_expectation(step_id, 1, each, scope).holds for each in guards)


# ---------------------------------------------------------------- how many voters there are
def pods(count: int) -> Json:
    return {
        "items": [
            {
                "metadata": {"name": f"vault-{number}", "uid": str(number)},
                "spec": {},
                "status": {"phase": "Running"},
            }
            for number in range(count)
        ]
    }


@pytest.mark.parametrize(("count", "expected"), [(2, True), (3, True), (5, False)])
def test_a_cluster_with_more_voters_than_the_session_counts_on_stops_at_once(
    count: int, expected: bool
) -> None:
    assert goes_on("pods", result=answer(json=pods(count))) is expected


@pytest.mark.parametrize(
    ("names", "standing", "quorum", "voters", "expected"),
    [
        (["a", "b", "c"], ["a", "b"], 2, 3, True),
        (["a", "b", "c"], ["a"], 2, 3, False),
        (["a", "b", "c", "d", "e"], ["a", "b"], 2, 3, False),
        (["a", "b", "c", "d", "e"], ["a", "b"], 3, 5, False),
        (["a", "b", "c", "d", "e", "f", "g"], ["a", "b", "c", "d"], 4, 7, False),
    ],
)
def test_a_skipped_count_of_voters_does_not_let_the_leader_be_killed(
    names: Json, standing: Json, quorum: int, voters: int, expected: bool
) -> None:
    inputs: Json = {"voters": voters}
    given = {"inputs": inputs, "names": names, "standing": standing, "quorum": quorum, "target": "c"}
    scope = alike(given)
    guards = [Expectation(each.that, each.otherwise) for each in RUNBOOK.step("kill").guards]
    assert all(judged_expectation("kill", 1, each, scope).holds for each in guards) is expected


# ---------------------------------------------------------------- who serves
NOTHING: Sequence[str] = (
    *("answering", "sealed", "empty", "unheard", "behind", "complaining", "quiet", "serving_pods"),
    *("terminating", "creating", "crashing", "no_room", "silent", "homes"),
)


def finding(**names: Json) -> Json:
    empty: dict[str, Json] = {name: [] for name in NOTHING}
    given: dict[str, Json] = {
        **empty,
        "active": False,
        "leader": "vault-2",
        "health": 503,
        "audited": 503,
        "was_ill": False,
        **names,
    }
    return captured("verdict", "finding", **given)


STUCK: dict[str, Json] = {
    "answering": ["vault-0", "vault-1"],
    "silent": ["vault-2"],
    "quiet": ["vault-2"],
    "complaining": ["vault-0", "vault-1"],
}


def test_a_vault_that_serves_outside_and_cannot_be_asked_inside_is_no_stuck_leader() -> None:
    assert finding(**STUCK) == "stuck"
    assert finding(**STUCK, health=200, audited=200) == "hidden"
    ways = {each.goto for each in RUNBOOK.step("verdict").next if "hidden" in str(each.when)}
    assert ways == {"look-again"}


@pytest.mark.parametrize(("status", "expected"), [(503, True), (500, True), (None, True), (200, False)])
def test_the_leader_is_killed_only_while_nobody_serves_outside(status: Json, expected: bool) -> None:
    assert goes_on("outside-down", target="vault-2", result=answer(status=status)) is expected
    assert "outside-down" in RUNBOOK.step("kill").needs


# ---------------------------------------------------------------- a voter that is called dead
@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (503, True),  # nobody serves
        (500, True),  # a standby that knows of no leader
        (None, True),
        (403, False),  # it serves, and the token is refused
        (200, False),
    ],
)
def test_without_a_leader_no_voter_is_restarted_once_somebody_serves(status: Json, expected: bool) -> None:
    given: dict[str, Json] = {"active": False, "quorum": 2, "dead_voter": "vault-1"}
    assert goes_on("others-vote", **given, result=answer(status=status)) is expected


@pytest.mark.parametrize(("index", "expected"), [(900, True), (901, False)])
def test_a_quiet_voter_whose_index_moves_follows_somebody(index: int, expected: bool) -> None:
    told: Json = [{"pod": "vault-1", "index": 900}]
    given: dict[str, Json] = {"active": False, "told": told, "leader_index": 0, "dead_voter": "vault-1"}
    now = answer(json={"raft_applied_index": index})
    assert goes_on("dead-now", **given, result=now) is expected
    assert goes_on("dead-now", **given, result=answer(exit=124)), "a voter that is silent has no index"


# ---------------------------------------------------------------- a pod that does not go
@pytest.mark.parametrize("step_id", ["unmount", *FORCING])
def test_a_pod_that_nobody_deleted_is_neither_forced_nor_unmounted(step_id: str) -> None:
    assert "deleting" in RUNBOOK.step(step_id).needs
    going: Json = {"uid": "old", "deletionTimestamp": "2026-04-22T09:40:00Z"}
    given: dict[str, Json] = {"target": "vault-2", "target_uid": "old"}
    assert goes_on("deleting", **given, result=answer(json={"metadata": going}))
    for other in ({"uid": "old"}, {"uid": "new", "deletionTimestamp": "2026-04-22T09:40:00Z"}):
        assert not goes_on("deleting", **given, result=answer(json={"metadata": dict(other)}))


def test_a_process_that_holds_a_block_volume_is_found_under_any_name() -> None:
    assert "no-holder" in RUNBOOK.step("force-block").needs


@pytest.mark.parametrize("driver", ["nfs.csi.k8s.io", "org.democratic-csi.nfs-client"])
def test_a_share_of_any_nfs_driver_is_known_as_one(driver: str) -> None:
    volume: Json = {
        "status": {"phase": "Bound"},
        "spec": {
            "claimRef": {"namespace": "vault", "name": "data-vault-0"},
            "csi": {"driver": driver},
            "storageClassName": "shared",
        },
    }
    assert captured("volumes", "on_nfs", result=answer(json={"items": [volume]})) == ["data-vault-0"]


@pytest.mark.parametrize(
    ("state", "expected"), [({"waiting": {"reason": "CrashLoopBackOff"}}, True), ({"running": {}}, False)]
)
def test_a_pod_whose_process_runs_may_vote_and_is_not_recreated(state: Json, expected: bool) -> None:
    pod: Json = {
        "metadata": {"uid": "1"},
        "status": {"containerStatuses": [{"name": "vault", "ready": False, "state": state}]},
    }
    assert goes_on("not-voting", target="vault-0", result=answer(json=pod)) is expected


# ---------------------------------------------------------------- who won
WON = "2026-04-22T10:00:00.5Z [INFO] storage.raft: election won: term=33"


@pytest.mark.parametrize(
    ("stood", "expected"),
    [
        ("2026-04-22T09:59:00.5Z [INFO] storage.raft: entering candidate state", True),
        ("2026-04-22T10:01:00.5Z [INFO] storage.raft: entering candidate state", False),
        ("2026-04-22T13:01:00.5+03:00 [INFO] storage.raft: entering candidate state", False),
    ],
    ids=["before it", "after it", "after it, in another zone"],
)
def test_an_election_is_won_only_where_every_later_candidacy_can_be_seen(stood: str, expected: bool) -> None:
    results: Json = [
        {"item": "vault-0", "text": WON, "fault": ""},
        {"item": "vault-1", "text": stood, "fault": ""},
    ]
    assert captured("elections", "won", results=results, leader="vault-0") is expected


# ---------------------------------------------------------------- data
def test_an_id_that_the_log_does_not_name_is_asked_for_and_not_guessed() -> None:
    begins = 'initial configuration: index=1 servers="[{Suffrage:Voter ID:3f6b9c Address:vault-1.x:8201}]"'
    assert captured("its-id", "survivor_id", survivor="vault-1", result=answer(text=begins)) == "3f6b9c"
    assert captured("its-id", "survivor_id", survivor="vault-1", result=answer(text="core: unsealed")) == ""
    assert RUNBOOK.step("its-id").next[0].goto == "id-by-hand"


def test_nothing_is_initialised_while_fewer_voters_were_asked_than_there_are() -> None:
    nothing: Json = {"item": "vault-0", "json": {"initialized": False}}
    three: list[Json] = [nothing] * 3
    assert goes_on("all-empty", results=three)
    assert not goes_on("all-empty", results=three[1:])
    assert not goes_on("all-empty", results=[])


@pytest.mark.parametrize(("kept", "expected"), [("vault-2", True), ("vault-0", False), ("", False)])
def test_an_audit_log_is_truncated_only_once_its_own_end_is_kept(kept: str, expected: bool) -> None:
    assert guarded("audit-truncate", tail_kept=kept, target="vault-2") is expected


@pytest.mark.parametrize(
    ("kept", "expected"), [("/srv/a.db.before-new", True), ("/srv/a.db.before-other", False), ("", False)]
)
def test_nothing_is_restored_over_a_cluster_of_which_nothing_is_kept(kept: str, expected: bool) -> None:
    given: dict[str, Json] = {"snapshot": "/srv/a.db", "receiver_id": "new"}
    assert guarded("restore", kept_file=kept, **given) is expected


@pytest.mark.parametrize(
    ("context", "expected"),
    [({}, True), ({"runAsUser": 100, "runAsGroup": 1000}, True), ({"runAsUser": 1001}, False)],
)
def test_the_charts_user_does_not_take_the_place_of_another(context: Json, expected: bool) -> None:
    assert guarded("owner-context", context_before=context) is expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("failed to open bolt file: open /vault/data/vault.db: permission denied", True),
        ("[ERROR] core: failed to lookup token: error=permission denied", False),
    ],
)
def test_a_token_that_was_refused_is_no_file_that_cannot_be_opened(line: str, expected: bool) -> None:
    assert captured("crash-log", "denied", result=answer(text=line)) is expected
