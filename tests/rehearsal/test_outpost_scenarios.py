"""The shipped outpost scenarios, walked by the runbook's own expressions against the simulated servers."""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from breakglass.kubernetes_objects import objects, text
from breakglass.rehearsal.load import load_scenario
from breakglass.rehearsal.rehearsal import Rehearsal, start_rehearsal
from breakglass.rehearsal.traps import HttpMove, KubectlMove, Trap
from breakglass.runbook.expression import evaluate, holds
from breakglass.runbook.load import load_runbook
from breakglass.runbook.steps import Step
from breakglass.runbook.template import render
from breakglass.values import Json
from tests.rehearsal.support import client_of
from tests.simulator.kubernetes.python_package import PythonPackage

FOLDER = Path(__file__).parents[2] / "runbooks" / "outpost-shm-purge"
RUNBOOK = load_runbook(FOLDER / "runbook.yaml")
LABEL = "goauthentik.io/outpost-name=authentik-embedded-outpost"
SPEED = 100.0


@asynccontextmanager
async def drill(folder: Path, scenario: str, speed: float = SPEED) -> AsyncGenerator["Drill"]:
    loaded = load_scenario(FOLDER / "scenarios" / f"{scenario}.yaml")
    rehearsal = await start_rehearsal(loaded, folder / "world", speed=speed)
    try:
        yield Drill(rehearsal)
    finally:
        await rehearsal.close()
    assert not rehearsal.faults, rehearsal.faults


class Drill:
    """The values that a walk has gathered, and how it gets more."""

    def __init__(self, rehearsal: Rehearsal) -> None:
        self.rehearsal = rehearsal
        path = rehearsal.site.clusters["main"].kubeconfig
        assert path is not None
        self.api = PythonPackage(path)
        self.scope: dict[str, Json] = {
            "inputs": {each.name: each.default for each in RUNBOOK.inputs},
            "site": {"name": rehearsal.site.name, "variables": dict(rehearsal.site.variables)},
            "session": {"mode": "rehearsal"},
        }

    async def pods(self) -> Json:
        answer = await self.api.call("CoreV1Api", "list_namespaced_pod", "authentik", label_selector=LABEL)
        return answer.body

    async def df(self, pod: str) -> str:
        _, out, _ = await self.api.exec("authentik", pod, "df", "-k", "/dev/shm")
        return out

    async def http(
        self,
        method: str,
        endpoint: str,
        path: str = "/",
        body: Json = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        async with client_of(self.rehearsal, endpoint) as client:
            login = {"Authorization": "Bearer rehearsal-token-of-the-sso-api"}
            given = {"User-Agent": "Mozilla/5.0", **login, **(headers or {})}
            return await client.request(method, path, json=body, headers=given)

    async def look(self, step: str, endpoint: str = "protected-app-direct") -> None:
        answer = await self.http("GET", endpoint)
        headers: dict[str, Json] = {name.lower(): value for name, value in answer.headers.items()}
        self.see(step, status=answer.status_code, headers=headers)

    def see(self, step: str, **result: Json) -> Step:
        """Take a step's result: capture, and hold every expectation."""
        found = RUNBOOK.step(step)
        self.scope["result"] = result
        for name, expression in found.capture.items():
            self.scope[name] = evaluate(expression, self.scope)
        for expectation in found.expect:
            assert holds(expectation.that, self.scope), expectation.that.source
        return found

    async def take(self, trap: Trap) -> None:
        """Make the moves of a trap that are made outside of the walk."""
        for timed in trap.take:
            match timed.move:
                case HttpMove() as move:
                    await self.http(move.method, move.endpoint, move.path, move.json, move.headers)
                case KubectlMove(argv=("rollout", "restart", "deployment", name, *_)):
                    stamp = {"kubectl.kubernetes.io/restartedAt": "2026-04-18T10:00:00Z"}
                    body = {"spec": {"template": {"metadata": {"annotations": stamp}}}}
                    await self.api.call("AppsV1Api", "patch_namespaced_deployment", name, "authentik", body)
                case KubectlMove(argv=("delete", "pod", name, *_)):
                    await self.api.call("CoreV1Api", "delete_namespaced_pod", name, "authentik")
                case KubectlMove(argv=("delete", "pods", *_)):
                    for pod in objects(await self.pods(), "items"):
                        await self.api.call(
                            "CoreV1Api", "delete_namespaced_pod", text(pod, "metadata", "name"), "authentik"
                        )
                case _:
                    raise AssertionError(f"{timed.move} is not made outside of the walk")


async def test_the_sites_answer_the_emergency_login_until_the_new_pod_is_ready(tmp_path: Path) -> None:
    async with drill(tmp_path, "recorded-incident", speed=1.0) as walk:
        name = text(objects(await walk.pods(), "items")[0], "metadata", "name")
        await walk.api.call("CoreV1Api", "delete_namespaced_pod", name, "authentik")
        answer = await walk.http("GET", "protected-app")
        assert (answer.status_code, answer.headers["x-auth-fallback"]) == (401, "true")


@pytest.mark.parametrize("memory", [0, 2048, 2303])
async def test_the_guard_refuses_less_memory_than_the_volume_and_the_working_set(memory: int) -> None:
    guard = next(each for each in RUNBOOK.step("resize").guards if "memory_mi" in each.that.source)
    inputs: dict[str, Json] = {each.name: each.default for each in RUNBOOK.inputs}
    assert holds(guard.that, {"inputs": inputs})
    refused = {**inputs, "memory_mi": memory}
    assert not holds(guard.that, {"inputs": refused})
    assert str(memory) in render(guard.otherwise, {"inputs": refused})


async def test_the_size_alone_comes_up_and_is_killed_again_a_minute_later(tmp_path: Path) -> None:
    async with drill(tmp_path, "oom-follow-on-fix") as walk:
        trap = next(each for each in walk.rehearsal.scenario.traps if each.name == "size-without-memory")
        await walk.take(trap)
        await walk.rehearsal.clock.sleep(40)
        assert (await walk.http("GET", "protected-app")).status_code == 302
        await walk.rehearsal.clock.sleep(80)
        assert (await walk.http("GET", "protected-app")).status_code == 401
        walk.see("outpost-state", json=await walk.pods())
        assert walk.scope["killed"] == 1
        assert not walk.rehearsal.recovered()


WITHIN_THE_WALK = frozenset({"purged-again"})
"""Met only after the walk has done something; tests/runbooks takes it there."""


def outside_traps() -> list[tuple[str, str]]:
    """Every trap of every scenario that is stepped into outside of the walk."""
    found: list[tuple[str, str]] = []
    for path in sorted((FOLDER / "scenarios").glob("*.yaml")):
        for trap in load_scenario(path).traps:
            if (
                trap.caught == "review"
                and trap.name not in WITHIN_THE_WALK
                and all(isinstance(each.move, HttpMove | KubectlMove) for each in trap.take)
            ):
                found.append((path.stem, trap.name))
    return found


@pytest.mark.parametrize(("scenario", "name"), outside_traps())
async def test_a_trap_taken_on_purpose_is_recorded_with_its_lesson(
    tmp_path: Path, scenario: str, name: str
) -> None:
    async with drill(tmp_path, scenario) as walk:
        trap = next(each for each in walk.rehearsal.scenario.traps if each.name == name)
        await walk.take(trap)
        assert walk.rehearsal.traps_met() == [name]
        (told,) = (each for each in walk.rehearsal.happened if each.kind == "trap")
        assert len(told.say) > 40


@pytest.mark.parametrize("path", sorted((FOLDER / "scenarios").glob("*.yaml")), ids=lambda path: path.stem)
async def test_the_walk_that_a_scenario_expects_names_steps_of_the_runbook(path: Path) -> None:
    scenario = load_scenario(path)
    steps = {step.id for step in RUNBOOK.steps}
    named = {
        *scenario.expect.reaches,
        *scenario.expect.never,
        *scenario.walk.choose,
        *scenario.walk.ask,
        *scenario.walk.manual,
        *scenario.walk.on_failure,
        *(each.at for trap in scenario.traps for each in trap.take if each.at),
        *(trap.refused_at for trap in scenario.traps if trap.refused_at),
    }
    assert named <= steps
    assert {*RUNBOOK.uses.endpoints} <= {*scenario.endpoints}
    assert {*RUNBOOK.uses.variables} <= {*scenario.site.variables}


async def test_looking_changes_nothing_in_the_world(tmp_path: Path) -> None:
    async with drill(tmp_path, "recorded-incident") as walk:
        before = json.dumps(walk.rehearsal.snapshot(), sort_keys=True)
        await walk.look("cookieless", "protected-app")
        await walk.look("direct")
        pods = await walk.pods()
        await walk.df(text(objects(pods, "items")[0], "metadata", "name"))
        await walk.http("GET", "sso-api", "/api/v3/outposts/instances/")
        assert json.dumps(walk.rehearsal.snapshot(), sort_keys=True) == before
        assert walk.rehearsal.touched == []
