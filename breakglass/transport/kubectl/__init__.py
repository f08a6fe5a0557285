"""kubectl actions: the built-in driver over the Kubernetes API, and the `kubectl` program where asked.

The built-in driver holds its deadlines, pins objects by uid and asks the server for dry runs. Whatever it
does not understand whole, it refuses before anything is sent.
"""

import asyncio
import base64
import binascii
import os
import time
from dataclasses import dataclass
from typing import cast

from breakglass.kubernetes_objects import at
from breakglass.policy.kubectl.operations import Get, KubectlCommand, Selection, Target
from breakglass.site.model import Cluster, KubernetesSecret, PortForward, Site
from breakglass.site.secrets import SecretError
from breakglass.threads import in_thread
from breakglass.transport.base import Delivery, Fault, KubectlRequest, Request, Result, Sink
from breakglass.transport.kubectl import (
    verb_apply,
    verb_change,
    verb_delete,
    verb_describe,
    verb_drain,
    verb_events,
    verb_exec,
    verb_get,
    verb_label,
    verb_logs,
    verb_observe,
    verb_rollout,
    verb_top,
)
from breakglass.transport.kubectl.api import Api
from breakglass.transport.kubectl.binary import can_dry_run, choice_of_kubectl, run_program
from breakglass.transport.kubectl.faults import KubectlFaultError
from breakglass.transport.kubectl.find import one
from breakglass.transport.kubectl.forward import Forward, ForwardError
from breakglass.transport.kubectl.resources import Resources
from breakglass.transport.kubectl.run import KubectlRun, Verbs

__all__ = ["ForwardError", "Kubectl"]

SECRET_TIMEOUT = 15.0
"""Seconds in which a secret must be read."""

VERBS: Verbs = {
    **verb_get.VERBS,
    **verb_describe.VERBS,
    **verb_events.VERBS,
    **verb_logs.VERBS,
    **verb_exec.VERBS,
    **verb_observe.VERBS,
    **verb_apply.VERBS,
    **verb_change.VERBS,
    **verb_label.VERBS,
    **verb_rollout.VERBS,
    **verb_top.VERBS,
    **verb_delete.VERBS,
    **verb_drain.VERBS,
}


@dataclass
class _Open:
    """What is kept of one cluster between requests."""

    api: Api
    resources: Resources


class Kubectl:
    """The transport of kubectl requests to the clusters of a site."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._open: dict[str, _Open] = {}
        self._forwards: dict[PortForward, Forward] = {}
        self._addresses: dict[PortForward, tuple[str, int]] = {}
        self._forwarding = asyncio.Lock()

    async def send(self, request: Request, sink: Sink) -> Result:
        """Carry out one kubectl request. See `transport.base.Transport`."""
        asked = cast(KubectlRequest, request)
        cluster = self._site.clusters.get(asked.cluster)
        if cluster is None:
            return _not_sent(self._lacks(asked.cluster))
        if asked.driver == "binary" and (not asked.dry_run or can_dry_run(asked.command)):
            try:
                choice = await in_thread(lambda: choice_of_kubectl(cluster, os.environ))
            except KubectlFaultError as error:
                return _not_sent(error.fault.message)
            return await run_program(cluster, asked, sink, choice)
        refused = asked.command.refused or _refusal(asked)
        if refused:
            return _not_sent(f"cluster {cluster.name}: {refused}")
        return await _carry_out(self._run(cluster, asked, sink))

    async def read_secret(self, secret: KubernetesSecret) -> bytes:
        """The value of one key of a Secret. Raises SecretError."""
        named = f"secret {secret.name} in namespace {secret.namespace}"
        cluster = self._site.clusters.get(secret.cluster)
        if cluster is None:
            raise SecretError(f"{named}: {self._lacks(secret.cluster)}")
        target = Target("secrets", secret.name, secret.namespace)
        command = KubectlCommand((), Get(Selection((target,))))
        request = KubectlRequest(secret.cluster, command, SECRET_TIMEOUT)
        run = self._run(cluster, request, lambda stream, data: None)
        try:
            async with asyncio.timeout(SECRET_TIMEOUT):
                found = await one(run, await run.find("secrets"), target)
        except KubectlFaultError as error:
            raise SecretError(error.fault.message) from None
        except TimeoutError:
            raise SecretError(run.past_deadline().fault.message) from None
        value = at(found, "data", secret.key)
        if not isinstance(value, str):
            raise SecretError(f"{run.where}: the {named} has no key {secret.key!r}")
        try:
            return base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            raise SecretError(f"{run.where}: the {named}: its key {secret.key!r} is not base64") from None

    async def forward(self, forward: PortForward) -> tuple[str, int]:
        """An address on loopback that leads to a pod, kept until `close`. Raises ForwardError."""
        async with self._forwarding:
            if forward not in self._addresses:
                cluster = self._site.clusters.get(forward.cluster)
                if cluster is None:
                    raise ForwardError(Fault("configuration", self._lacks(forward.cluster)))
                kept = self._kept(cluster)
                opened = Forward(forward, kept.api, kept.resources)
                self._addresses[forward] = await opened.open()
                self._forwards[forward] = opened
            return self._addresses[forward]

    def refused_forward(self, forward: PortForward) -> str:
        """Why the far side refused the last connection through a forward; empty when it did not."""
        opened = self._forwards.get(forward)
        return opened.last_error.strip() if opened is not None else ""

    async def close(self) -> None:
        for forward in self._forwards.values():
            await forward.close()
        for each in self._open.values():
            await each.api.close()
        self._forwards.clear()
        self._addresses.clear()
        self._open.clear()

    def _kept(self, cluster: Cluster) -> _Open:
        if cluster.name not in self._open:
            self._open[cluster.name] = _Open(Api(cluster), Resources())
        return self._open[cluster.name]

    def _lacks(self, cluster: str) -> str:
        return self._site.lacks("cluster", cluster, self._site.clusters)

    def _run(self, cluster: Cluster, request: KubectlRequest, sink: Sink) -> KubectlRun:
        kept = self._kept(cluster)
        return KubectlRun(kept.api, kept.resources, request, sink)


async def _carry_out(run: KubectlRun) -> Result:
    """The verb, under the request's deadline; whatever goes wrong becomes a fault."""
    started = time.monotonic()
    run.until = started + run.request.timeout
    run.api.listeners.add(run.err)
    try:
        async with asyncio.timeout(run.request.timeout):
            operation = run.request.command.operation
            assert operation is not None, "what is not understood has been refused"
            done = await VERBS[type(operation)](run, operation)
    except KubectlFaultError as error:
        run.err(error.said)
        return Result(
            run.delivery(error.delivery),
            time.monotonic() - started,
            exit=1,
            status=error.status,
            fault=run.fault(error),
        )
    except TimeoutError:
        late = run.past_deadline()
        run.err(late.said)
        return Result(late.delivery, time.monotonic() - started, exit=1, fault=run.fault(late))
    finally:
        run.api.listeners.discard(run.err)
    return Result(
        Delivery.ANSWERED, time.monotonic() - started, exit=done.exit, data=done.data, fault=done.fault
    )


def _refusal(request: KubectlRequest) -> str:
    """Why this combination must not be sent; empty when it may."""
    if request.dry_run and not request.command.takes_dry_run:
        return "the API has no dry run for this, so it was not sent"
    if request.uid is None and request.resource_version is None:
        return ""
    if request.command.operation is None or not request.command.operation.takes_pin:
        return "a pin cannot hold here, so nothing was sent"
    if request.command.target is None:
        return "a pin holds for one object only, and this line is about several; nothing was sent"
    return ""


def _not_sent(message: str) -> Result:
    return Result(Delivery.NOT_SENT, 0.0, fault=Fault("configuration", message))
