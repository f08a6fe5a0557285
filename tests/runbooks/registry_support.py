"""Walks of `registry-image-rebuild` on a real registry, and what may not be gone after one.

Nothing here knows the runbook: skopeo says what can be pulled, and the files on the disk say what could be
put back.
"""

import hashlib
import itertools
import json
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from breakglass.engine import commands as c
from breakglass.engine.autopilot import Script, answer_for
from breakglass.journal import events as e
from breakglass.journal.state import State
from breakglass.testing.walks import Walked
from breakglass.values import Json
from tests.runbooks.support import walk_scenario
from tests.support.docker_registry import PASSWORD, DockerRegistry
from tests.support.registry_vm import Push, RegistryVm, rehearsals_with
from tests.support.skopeo import can_pull

NAME = "registry-image-rebuild"
SPEED = 400.0
PLATFORMS = ("linux/amd64", "linux/arm64")
NUMBERS = itertools.count()

Image = tuple[str, str]
"""A repository, and a tag or a digest in it."""


@dataclass(slots=True)
class World:
    """A registry and what names its images. images: tags and digests that were pushed."""

    registry: DockerRegistry
    images: list[Image] = field(default_factory=list[Image])
    objects: list[dict[str, Json]] = field(default_factory=list[dict[str, Json]])
    choose: dict[str, str] = field(default_factory=dict[str, str])
    ask: dict[str, str] = field(default_factory=dict[str, str])
    ci_images: list[str] = field(default_factory=list[str])
    push: Push | None = None
    environment: list[str] = field(default_factory=list[str])
    forgetful: bool = False
    """Whether the person who is told to make the registry read-only does not."""
    data: str = ""
    """Where the runbook is told that the registry's files are; where they are, unless given."""
    failing: tuple[str, ...] = ()
    """Images that pods wait for, as REPOSITORY:TAG."""

    def pulled(self) -> set[tuple[str, str, str]]:
        """What can be pulled: repository, tag or digest, platform."""
        return {
            (repository, reference, platform)
            for repository, reference in self.images
            for platform in PLATFORMS
            if can_pull(self.registry, repository, reference, platform)
        }

    def on_disk(self, digests: Iterable[str]) -> set[str]:
        """Those whose content, and all that they name, is on the disk and right, whoever links it."""
        return {digest for digest in digests if _whole(self.registry, digest)}


def _whole(registry: DockerRegistry, digest: str) -> bool:
    path = registry.blob(digest)
    content = path.read_bytes() if path.exists() else b""
    if "sha256:" + hashlib.sha256(content).hexdigest() != digest:
        return False
    return all(_whole(registry, each) for each in _named_by(content))


def _named_by(content: bytes) -> Iterator[str]:
    if not content.startswith(b'{"schemaVersion"'):
        return
    body = cast("dict[str, list[dict[str, str]]]", json.loads(content))
    for entry in (*body.get("manifests", ()), *body.get("layers", ())):
        yield entry["digest"]
    if "config" in body:
        yield cast("dict[str, str]", body["config"])["digest"]


@dataclass(frozen=True, slots=True)
class RealWalk:
    """walked: as of a scenario. confirmed: what was asked before each change, by its step."""

    walked: Walked
    vm: RegistryVm
    confirmed: Mapping[str, e.Asked]


def deployment(name: str, image: str, *, replicas: int = 0) -> dict[str, Json]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "apps"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "main", "image": f"registry.lab.example/{image}"}]},
            },
        },
    }


def replica_set(name: str, image: str) -> dict[str, Json]:
    """One of a rollout that is over: a rollback goes back to it."""
    return {**deployment(name, image), "kind": "ReplicaSet"}


def cron_job(name: str, image: str) -> dict[str, Json]:
    """One that is suspended, so that it never makes a Job itself. image: with its registry."""
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": name, "namespace": "apps", "uid": f"uid-of-{name}"},
        "spec": {"schedule": "* * * * *", "suspend": True, "jobTemplate": {"spec": _job_of(image)}},
    }


def job(name: str, image: str, *, of: str = "", succeeded: bool = False) -> dict[str, Json]:
    """A Job, of a CronJob or made by hand."""
    owner: dict[str, Json] = {"apiVersion": "batch/v1", "kind": "CronJob", "name": of, "uid": f"uid-of-{of}"}
    status: dict[str, Json] = {
        "succeeded": 1,
        "conditions": [{"type": "Complete", "status": "True"}],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": "apps",
            "uid": f"uid-of-{name}",
            **({"ownerReferences": [{**owner, "controller": True}]} if of else {}),
        },
        "spec": _job_of(image),
        **({"status": status} if succeeded else {}),
    }


def _job_of(image: str) -> dict[str, Json]:
    return {
        "backoffLimit": 0,
        "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": image}]}},
    }


def node(name: str, *images: str) -> dict[str, Json]:
    """A node of linux/amd64 that holds images."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name},
        "status": {
            "nodeInfo": {"operatingSystem": "linux", "architecture": "amd64"},
            "images": [{"names": [f"registry.lab.example/{image}"], "sizeBytes": 1} for image in images],
        },
    }


def _waiting(number: int, image: str) -> dict[str, Json]:
    named = f"registry.lab.example/{image}"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"waits-{number}", "namespace": "apps"},
        "spec": {"nodeName": "k8s-node2", "containers": [{"name": "main", "image": named}]},
    }


def _scenario(world: World) -> dict[str, Json]:
    objects: list[Json] = [
        node("k8s-node2"),
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "any", "namespace": "apps"},
            "spec": {"nodeName": "k8s-node2", "containers": [{"name": "any", "image": "alpine:3.20"}]},
        },
        {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "metadata": {"name": "registry-integrity-probe", "namespace": "monitoring"},
            "spec": {
                "schedule": "0 0 1 1 *",
                "jobTemplate": {
                    "spec": {
                        "template": {
                            "spec": {
                                "restartPolicy": "Never",
                                "containers": [{"name": "probe", "image": "python:3.12-alpine"}],
                            }
                        }
                    }
                },
            },
        },
        *(_waiting(number, image) for number, image in enumerate(world.failing)),
        *world.objects,
    ]
    ci_images: list[Json] = [*world.ci_images]
    return {
        "scenario": "real",
        "title": "A real registry",
        "summary": "A real registry with a simulated cluster around it.",
        "runbook": NAME,
        "recorded": False,
        "site": {
            "variables": {
                "registry_names": ["registry.lab.example"],
                "registry_mirrored": ["registry.lab.example"],
                "registry_push_name": "registry.lab.example",
                "registry_data": world.data or str(world.registry.data),
                "ci_images": ci_images,
                "ci_sources": {"app": {"clone": "https://git.lab.example/app.git", "folder": "app"}},
            },
            "secrets": {"registry_password": PASSWORD, "ci_token": "token-of-ci-of-the-lab"},
        },
        "world": {},
        "kubernetes": {
            "main": {
                "objects": objects,
                "jobs": [{"takes": "1s"}],
                "pods": [
                    {
                        "pod": {"namespace": "apps"},
                        "when": "request.pod.metadata.name.startsWith('waits-')"
                        " || request.pod.spec.containers.exists(c, c.image.endsWith('/app:broken'))",
                        "phase": "Pending",
                        "ready": False,
                        "waiting": "ImagePullBackOff",
                        "message": "Back-off pulling image",
                    }
                ],
            }
        },
        "logs": [
            {
                "pod": {"namespace": "monitoring"},
                "lines": [{"ago": "1s", "text": "Probe complete: 0 failures"}],
            }
        ],
        "hosts": {"docker-registry": {"commands": []}},
        "endpoints": {
            "registry": {"url": "http://10.0.20.10:5050", "routes": []},
            "ci": {
                "url": "https://ci.lab.example/api",
                "bearer": "ci_token",
                "routes": [{"path": "/api/repos/1/pipelines", "reply": {"json": []}}],
            },
        },
        "recovered": "true",
        "walk": {
            "choose": {"relief": "leave", "way": "defer", "collect-choice": "collect", **world.choose},
            "ask": {"stays": "none", **world.ask},
            "manual": {
                "ci-files": "Searched; none of them is named.",
                "ticket": "OPS-1",
                "hold-pushes": "Read-only.",
                "release-pushes": "Read and write.",
            },
        },
        "expect": {"result": "recovered"},
    }


async def walk_real(
    world: World,
    folder: Path,
    *,
    asked: Callable[[e.Asked], None] | None = None,
    skips: Collection[str] = (),
) -> RealWalk:
    """Walk the runbook on the real registry of a world. `asked` hears of every change before its word; the
    changes in `skips` are skipped instead of confirmed."""
    place = folder / f"walk-{next(NUMBERS)}"
    place.mkdir(mode=0o700)
    path = place / "real.yaml"
    path.write_text(json.dumps(_scenario(world)))
    path.chmod(0o600)
    vm = RegistryVm(world.registry, world.push, [*world.environment])
    confirmed: dict[str, e.Asked] = {}

    def by_hand(step: str) -> None:
        if step in ("hold-pushes", "release-pushes") and not world.forgetful:
            vm.restart(readonly=step == "hold-pushes")

    def answered(
        question: e.Asked, state: State, script: Script, operator: str, tried: dict[str, int]
    ) -> c.Command:
        if question.question == "confirm":
            if question.step in skips:
                return c.Skip("not tonight", operator)
            confirmed[question.step] = question
            if asked is not None:
                asked(question)
        return answer_for(question, state, script, operator, tried)

    with pytest.MonkeyPatch.context() as patch, rehearsals_with(vm, by_hand):
        patch.setattr("breakglass.testing.walks.answer_for", answered)
        walked = await walk_scenario(NAME, path, place, speed=SPEED)
    shutil.rmtree(place)
    return RealWalk(walked, vm, confirmed)
