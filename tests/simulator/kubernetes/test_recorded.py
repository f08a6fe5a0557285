"""The simulated API server beside a real one, whose answers are kept in `recorded.jsonl`.

They are those of Kubernetes 1.20, as Debian builds it; `python -m tools.record_kubernetes` makes them anew.
The simulator is of 1.34, and says some things in other words: each way in which they differ stands in
`DIFFERS`, with its reason.
"""

import base64
import json
import re
import ssl
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from breakglass.kubernetes_objects import text
from breakglass.simulator.kubernetes.access import ADMIN, User
from breakglass.values import Json
from tests.simulator.kubernetes.conftest import Start
from tests.simulator.kubernetes.recorded import Sender, recorded
from tests.simulator.kubernetes.recorded_requests import requests
from tests.simulator.kubernetes.support import Cluster

ONCALL = User("oncall", ())
YOUNGER = "Kubernetes since 1.20: "
WORDS = "refused all the same, in other words: "

DIFFERS: tuple[tuple[str, str, str], ...] = (
    ("pods: |jobs: ", r"metadata\.generation", YOUNGER + "these kinds are numbered as well"),
    ("jobs: ", r"spec\.(completionMode|suspend|completions)", YOUNGER + "fields of jobs"),
    ("jobs: ", r"controller-uid|job-name", YOUNGER + "labels have a prefix"),
    ("jobs: patch of another uid", r"message|causes", WORDS + "the labels of the pods hold the uid"),
    ("statefulsets: ", "persistentVolumeClaimRetentionPolicy", YOUNGER + "what becomes of claims"),
    ("daemonsets: ", "maxSurge", YOUNGER + "more pods than one a node"),
    (
        ".*: get as a table",
        r"cells|columnDefinitions",
        YOUNGER + "more columns; counts as texts; made addresses",
    ),
    ("ingresses: ", r"details\.group|message", YOUNGER + "the group has its own name"),
    ("the namespace is", r"metadata\.labels", YOUNGER + "a namespace has a label of its name"),
    ("GET /apis/batch/v1", "cronjobs", YOUNGER + "cron jobs are served in v1"),
    ("GET /api", r"apiVersion", YOUNGER + "the list says its version"),
    ("pages: delete them", r"items", YOUNGER + "each entry says its kind"),
    ("GET ", r"resources\.[^.]*$", "kinds that are not simulated"),
    ("GET /api/v1", r"(namespaces|services)\.verbs", "the simulator deletes many of them at once as well"),
    ("GET /(apis/)?nothing", "", WORDS + "the body is a Status, which every client reads"),
    ("may ", r"metadata|resourceAttributes|reason", "what was asked is given back as it came"),
    (
        "(: create|apply:) as a dry run",
        r"metadata\.uid|controller-uid",
        "the uid of what is not made is always the same",
    ),
    ("services: create as a dry run", "clusterIP", "a dry run has an address, as 1.34 gives"),
    ("services: update of an old version", "", WORDS + "the address is looked at first"),
    ("services: create with a name", "message", WORDS + "the names of services have rules of their own"),
    ("jobs: create with a name", "message|causes", WORDS + "the label of the name is refused as well"),
    ("pods: ", r"spec\.serviceAccountName", "the real server was without the admission that gives one"),
    ("pods: delete", r"metadata\.deletion", "a pod that is gone is given back without the time of its end"),
    (
        "deployments: |apply: a deployment",
        r"metadata\.annotations",
        "the controller's; beside the real server none ran",
    ),
    ("daemonsets: ", r"metadata\.annotations", "an annotation that is no more since 1.34"),
    (
        ": create of another kind",
        "message",
        WORDS + "it names the part of the program that knows no such kind",
    ),
    (": list by a field that there is not", "message", WORDS + "it says which fields there are"),
    (": list by a label that is none", "message", WORDS + "it says which sign it expected"),
    (": patch of another uid", r"details\.causes", WORDS + "the cause stands twice"),
    (": patch of no known form", "message", WORDS + "1.34 says which forms there are"),
    (": patch that is no JSON", "", WORDS + "with 500 in place of 400"),
    ("a body |a value of the wrong type", "message|details", WORDS + "it quotes the body"),
    ("scale: of one that is not there", "", WORDS + "it names the subresource"),
    ("scale: of the wrong type", "message", WORDS + "it quotes the object, its fields in another order"),
    ("pages: a (token|limit)", "message", WORDS + "it quotes the parser"),
)
"""Where answers differ on purpose: the requests and the places, as patterns, and why."""


def differences(real: Json, here: Json, path: str = "") -> Iterator[tuple[str, Json, Json]]:
    """Where two bodies differ: the place, and what stands there in both; None for nothing."""
    if isinstance(real, dict) and isinstance(here, dict):
        for name in sorted({*real, *here}):
            yield from differences(real.get(name), here.get(name), f"{path}.{name}")
    elif isinstance(real, list) and isinstance(here, list) and len(real) == len(here):
        for index, (one, other) in enumerate(zip(real, here, strict=True)):
            yield from differences(one, other, f"{path}[{index}]")
    elif real != here:
        yield path, real, here


def contexts(cluster: Cluster, folder: Path) -> dict[str, ssl.SSLContext]:
    """What each user logs in with."""
    found: dict[str, ssl.SSLContext] = {}
    for name, user in (("admin", ADMIN), ("oncall", ONCALL)):
        config: Json = json.loads(cluster.server.kubeconfigs[user.name].read_text())
        context = ssl.create_default_context(cafile=str(cluster.server.authority))
        for part in ("certificate", "key"):
            data = text(config, "users", 0, "user", f"client-{part}-data")
            (folder / part).write_bytes(base64.b64decode(data))
        context.load_cert_chain(folder / "certificate", folder / "key")
        found[name] = context
    return found


async def test_the_answers_are_those_of_a_real_server(
    start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cluster = await start(users=(ADMIN, ONCALL))
    real = recorded()
    unexplained: list[str] = []
    used: set[tuple[str, str, str]] = set()
    async with aiohttp.ClientSession() as session:
        send = Sender(session, cluster.server.url, contexts(cluster, tmp_path))
        for asked in requests():
            kept, came = real.pop(asked.name), await send(asked)
            found = list(differences(kept.body, came.body))
            if kept.code != came.code:
                found.insert(0, ("code", kept.code, came.code))
            for path, there, here in found:
                known = [
                    each for each in DIFFERS if re.search(each[0], asked.name) and re.search(each[1], path)
                ]
                used.update(known)
                if not known:
                    unexplained.append(f"{asked.name}: {path}: real {there!r}, simulated {here!r}")
    assert unexplained == []
    assert caplog.messages == [], "the controllers came to rest after each change"
    assert not real, "answers to requests that are not sent any more: record them anew"
    assert [each for each in DIFFERS if each not in used] == [], "they differ no more: take these away"
