"""The failures that walks are held to are those that the real transports give for a real far side."""

from collections.abc import Callable
from pathlib import Path

import pytest

from breakglass.engine.clock import Clock
from breakglass.engine.gateway import Gateway, Prompts
from breakglass.policy.kubectl.parse import understood
from breakglass.testing.failures import FAILURES, Failure
from breakglass.transport.base import HttpRequest, KubectlRequest, Request, SshRequest
from tests.rehearsal.support import running

WORLD = """\
kubernetes:
  main:
    objects:
      - {apiVersion: v1, kind: Namespace, metadata: {name: vault}}
    faults:
      - {on: list configmaps vault/, fault: answer, code: 403, reason: Forbidden, message: not for you}
      - {on: list secrets vault/, fault: answer, code: 500}
      - {on: list services vault/, fault: answer, code: 401, reason: Unauthorized, message: Unauthorized}
      - {on: list endpoints vault/, fault: hang}
hosts:
  refuses: {refuse: true}
  never-ends: {commands: [{match: "true", reply: {stuck: true}}]}
  unknown: {host_key: unknown}
  asks: {sudo: password, commands: [{match: "umount -l /x", reply: ""}]}
  says-nothing: {commands: [{match: "true", reply: ""}]}
endpoints:
  refuses: {url: "https://refuses.example", refuse: true}
  answers:
    url: https://answers.example
    routes:
      - {path: /forbidden, reply: {status: 403, json: {errors: [permission denied]}}}
      - {path: /broken, reply: 500}
      - {path: /never, reply: {hang: true}}
      - {path: /empty, reply: {json: {}}}
"""
SOON = 1.0


def kubectl(*argv: str) -> Callable[[], Request]:
    return lambda: KubectlRequest("main", understood((*argv, "-n", "vault", "-o", "json")), SOON)


def ssh(host: str, *argv: str) -> Callable[[], Request]:
    return lambda: SshRequest(host, argv or ("true",), SOON)


def http(endpoint: str, path: str = "/") -> Callable[[], Request]:
    return lambda: HttpRequest("GET", endpoint, SOON, path=path)


CASES: list[tuple[str, Callable[[], Request]]] = [
    ("the API server does not answer", kubectl("get", "endpoints")),
    ("401 Unauthorized", kubectl("get", "services")),
    ("403 Forbidden", kubectl("get", "configmaps")),
    ("500 Internal Server Error", kubectl("get", "secrets")),
    ("404 not found, the pod has vanished", kubectl("get", "pod", "vault-0")),
    ("an empty list", kubectl("get", "pods")),
    ("the host refuses the connection", ssh("refuses")),
    ("the host does not answer", ssh("never-ends")),
    ("the host key is unknown", ssh("unknown")),
    ("sudo asks for a password", ssh("asks", "sudo", "-n", "--", "umount", "-l", "/x")),
    ("no output at all", ssh("says-nothing")),
    ("the endpoint refuses the connection", http("refuses")),
    ("the endpoint does not answer", http("answers", "/never")),
    ("403 Forbidden", http("answers", "/forbidden")),
    ("500 Internal Server Error", http("answers", "/broken")),
    ("an empty answer", http("answers", "/empty")),
]


@pytest.mark.parametrize(("name", "made"), CASES, ids=[f"{number}" for number in range(len(CASES))])
async def test_a_failure_of_the_table_is_what_the_transport_gives(
    name: str, made: Callable[[], Request], tmp_path: Path
) -> None:
    request = made()
    failure: Failure = next(each for each in FAILURES[type(request)] if each.name == name)
    async with running(tmp_path, WORLD, speed=1.0) as rehearsal:
        gateway = Gateway(rehearsal.site, tmp_path / "output", Clock(), Prompts())
        try:
            result = (await gateway.send(request)).result
        finally:
            await gateway.close()
    assert (result.fault.kind if result.fault else None) == failure.kind, result
    assert (result.delivery, result.exit, result.status) == (failure.delivery, failure.exit, failure.status)
