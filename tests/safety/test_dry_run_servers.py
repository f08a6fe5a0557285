"""A dry run, judged at the servers. Every scenario of every runbook is walked so in tests/runbooks, with
`check_dry_run`; here is that the judge sees what it should, and that no scenario is left out."""

import json
from pathlib import Path

import pytest

from tests.runbooks.support import RUNBOOKS, check_dry_run, scenario_paths, walk_scenario
from tests.support.arrived import ApiRequest, is_harmless

POD = "/api/v1/namespaces/web/pods/web-1"
DRY = b'{"dryRun": ["All"]}'
EXEC = f"{POD}/exec?command="


@pytest.mark.parametrize(
    "request_",
    [
        ApiRequest("GET", POD),
        ApiRequest("GET", f"{EXEC}df&command=-k&command=/dev/shm&stdout=true"),
        ApiRequest("DELETE", f"{POD}?dryRun=All"),
        ApiRequest("DELETE", POD, DRY),
        ApiRequest("PATCH", f"{POD}?dryRun=All&fieldManager=x", b"{}"),
        ApiRequest("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", b"{}"),
        ApiRequest("GET", f"{POD}/portforward?ports=80"),
    ],
    ids=str,
)
def test_a_read_and_a_server_side_dry_run_are_harmless(request_: ApiRequest) -> None:
    assert is_harmless(request_)


@pytest.mark.parametrize(
    "request_",
    [
        ApiRequest("DELETE", POD),
        ApiRequest("DELETE", f"{POD}?dryRun=All", b'{"gracePeriodSeconds": 0}'),
        ApiRequest("DELETE", f"{POD}?dryRun=All", b'{"dryRun": []}'),
        ApiRequest("DELETE", POD, b'{"dryRun": ["None"]}'),
        ApiRequest("PATCH", POD, DRY),
        ApiRequest("POST", f"{POD}/eviction", b'{"kind": "Eviction"}'),
        ApiRequest("PUT", f"{POD}?dryRun="),
        ApiRequest("POST", f"{EXEC}rm&command=-rf&command=/dev/shm"),
        ApiRequest("GET", f"{EXEC}sh&command=-c&command=reboot"),
        ApiRequest("GET", f"{POD}/attach?stdin=true"),
    ],
    ids=str,
)
def test_what_could_change_something_is_not_harmless(request_: ApiRequest) -> None:
    assert not is_harmless(request_)


async def test_a_walk_that_changes_something_is_seen_at_the_servers(tmp_path: Path) -> None:
    walked = await walk_scenario("outpost-shm-purge", "recorded-incident", tmp_path)
    assert any(each.startswith("DELETE /api/v1/namespaces/authentik/pods/") for each in walked.changes)
    with pytest.raises(AssertionError):
        check_dry_run(walked)


async def test_a_dry_run_asks_the_api_server_in_the_body_of_the_deletion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[ApiRequest] = []
    judge = is_harmless

    def judged(request: ApiRequest, said: object = ()) -> bool:
        seen.append(request)
        return judge(request)

    monkeypatch.setattr("tests.support.arrived.is_harmless", judged)
    walked = await walk_scenario(
        "outpost-shm-purge", "recorded-incident", tmp_path, mode="dry-run", speed=0.01
    )
    check_dry_run(walked)
    deletions = [json.loads(each.body) for each in seen if each.method == "DELETE"]
    assert [each["dryRun"] for each in deletions] == [["All"]]
    assert all(each["preconditions"]["uid"] for each in deletions), "the pin goes along"


@pytest.mark.parametrize("runbook", sorted(path.parent.name for path in RUNBOOKS.glob("*/runbook.yaml")))
def test_every_scenario_of_every_runbook_is_walked_dry(runbook: str) -> None:
    source = (Path(__file__).parents[1] / "runbooks" / f"test_{runbook.replace('-', '_')}.py").read_text()
    assert "check_dry_run(" in source
    assert 'mode="dry-run"' in source
    assert scenario_paths(runbook)
