"""The one way out of a session: sends a prepared request, records its output, says what came back.

Transports are made on first use, so that a session that only reads a file or asks a question loads none.
"""

import asyncio
import re
import time
import traceback
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, cast

from breakglass.engine.clock import Clock
from breakglass.engine.scope import result_value
from breakglass.errors import PreparationError
from breakglass.network_guard import only_to
from breakglass.policy.kubectl.changes import Delete, Drain
from breakglass.policy.kubectl.operations import RolloutStatus, Wait
from breakglass.runbook.actions import Action, LocalAction
from breakglass.runbook.expression import Expression
from breakglass.runbook.faults import OUTPUT_LIMIT
from breakglass.runbook.local_text import local_objection, started_of
from breakglass.runbook.template import Template
from breakglass.site.model import KubernetesSecret, PortForward, Site
from breakglass.site.secrets import SecretError, SecretStore
from breakglass.threads import in_thread
from breakglass.transport.base import (
    Delivery,
    Fault,
    HttpRequest,
    KubectlRequest,
    LocalProgram,
    LocalRequest,
    OutputLimitError,
    ProbeRequest,
    Request,
    Result,
    Sink,
    SshRequest,
    Stream,
    Transport,
)
from breakglass.transport.http.endpoint import Forward
from breakglass.transport.local_program import LocalProgramError, look_at
from breakglass.transport.output import LARGEST_TEXT, Finished, OutputStoreError, Recorder, shortened
from breakglass.transport.sanitize import visible_line
from breakglass.values import Json

if TYPE_CHECKING:
    from breakglass.transport.kubectl import Kubectl
    from breakglass.transport.ssh import HostKeyQuestion

PACKAGES: Mapping[type[Request], str] = {
    KubectlRequest: "breakglass.transport.kubectl",
    SshRequest: "breakglass.transport.ssh",
    HttpRequest: "breakglass.transport.http.transport",
    LocalRequest: "breakglass.transport.local",
    ProbeRequest: "breakglass.probe",
}

LOOK = 5.0
"""Seconds to look at programs of this machine, which may be on a file server."""

SECRET_NAME = re.compile(r"\bsecrets\.([A-Za-z_][A-Za-z0-9_]*)")


@dataclass(frozen=True, slots=True)
class Prompts:
    """How a person is asked for what only a person can give. None: nobody can be asked.

    tell: what somebody must do beside the program while it waits, such as touch a key. No secret is in it.
    """

    secret: Callable[[str], Awaitable[str]] | None = None
    host_key: "Callable[[HostKeyQuestion], Awaitable[bool]] | None" = None
    tell: Callable[[str], None] | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """What came back from one request: the transport's result, the value for expressions, the stored
    output. `shown` is the value without secrets; the same object where none is in it."""

    result: Result
    value: dict[str, Json]
    shown: dict[str, Json]
    output: Finished | None
    note: str = ""


class Gateway:
    """Transports, secrets and recorders of one session."""

    def __init__(
        self,
        site: Site,
        output: Path,
        clock: Clock,
        prompts: Prompts,
        transports: Mapping[type[Request], Transport] | None = None,
    ) -> None:
        self.site = site
        self.live: Recorder | None = None
        self.secrets = SecretStore(site, prompts.secret, self._kubernetes_secret)
        self._output = output
        self._clock = clock
        self._prompts = prompts
        self._transports: dict[type[Request], Transport] = dict(transports or {})
        self._forwarded: Kubectl | None = None
        """What carries port-forwards, once there is one."""

    async def secret_values(self, action: Action) -> tuple[dict[str, Json], dict[str, Json]]:
        """The `secrets` that an action names: as they are shown, and as they are sent.

        Raises SecretError when one cannot be had.
        """
        names = secret_names(action)
        shown: dict[str, Json] = {name: f"«secret {name}»" for name in names}
        return shown, {name: await self.secrets.resolve(name) for name in names}

    async def programs(self, action: Action) -> tuple[LocalProgram, ...]:
        """The programs of this machine that an action starts, each looked at just now. Those of a simulated
        world are nowhere.

        Raises PreparationError for one that the site does not name, or that must not or cannot be run.
        """
        if not isinstance(action, LocalAction):
            return ()
        if wrong := local_objection(action, self.site.says.programs):
            raise PreparationError(f"site {self.site.name}: {wrong}")
        paths = self.site.local.programs
        wanted = {each.word for each in started_of(action)}
        names = [name for name, path in paths.items() if name in wanted or path in wanted]
        if self.site.local.answers is not None:
            return tuple(LocalProgram(name, paths[name]) for name in names)
        try:
            return await in_thread(lambda: tuple(look_at(name, paths[name]) for name in names), deadline=LOOK)
        except TimeoutError:
            raise PreparationError(f"{', '.join(names)}: cannot be looked at in {LOOK:.0f} s") from None
        except LocalProgramError as error:
            raise PreparationError(str(error)) from error

    async def send(
        self,
        request: Request,
        *,
        redact: bool = False,
        limit: int = OUTPUT_LIMIT,
        to_its_end: bool = False,
    ) -> Response:
        """Send a request and record what comes back. Faults are in the result; nothing is raised for them.

        limit: bytes of output after which a read is stopped. to_its_end: it is a change, which is not stopped
        for what it says; only no more of that is kept.
        """
        recorder = Recorder(self._output, self.secrets.redactor, limit=limit, to_its_end=to_its_end)
        self.live = recorder
        dropped = 0

        def sink(stream: Stream, data: bytes) -> None:
            nonlocal dropped
            if redact:
                dropped += len(data)
            else:
                recorder(stream, data)

        try:
            result = await self._answer(at_speed(request, self._clock), sink, limit)
        except asyncio.CancelledError:
            recorder.discard()
            raise
        result = self._without_secrets(self._with_reason(request, result))
        if redact:
            recorder("stdout", f"[{dropped} bytes of secret output, neither shown nor stored]\n".encode())
        note = ""
        finished = None
        try:
            finished = await in_thread(recorder.finish)
        except OutputStoreError as error:
            finished, note = recorder.finished, str(error)
        if recorder.dropped and to_its_end:
            note = f"{note} the output is longer than {limit:,} bytes (output_limit), and cut there".strip()
        if recorder.truncated:
            note = f"{note} only the first {LARGEST_TEXT // 2**20} MiB of text are looked at".strip()
        if redact:
            value = {**result_value(result, "", ""), "json": None}
        else:
            value = result_value(result, recorder.text("stdout"), recorder.text("stderr"))
        shown = cast("dict[str, Json]", self.secrets.redactor.redact_json(value))
        return Response(result, value, shown, finished, note)

    async def _answer(self, request: Request, sink: Sink, limit: int) -> Result:
        """The one border between the transports and the session: whatever is raised there becomes a fault.

        A transport knows the exceptions that its library documents, and says what each means. What is left is
        what nobody documents: paramiko and aiohttp raise anything at all (AttributeError, IndexError,
        AssertionError) where a far side talks nonsense, and so may a mistake in this program. It must not end
        a walk, and for a change only one thing is true of it then: that it may have happened.
        """
        started = time.monotonic()
        try:
            transport = await self._transport(type(request))
            with only_to(self.site.reaches):
                return await transport.send(request, sink)
        except SecretError as error:
            return Result(Delivery.NOT_SENT, 0.0, fault=Fault("configuration", str(error)))
        except OutputLimitError:
            kind, words = "too-much", f"said more than {limit:,} bytes and was stopped; raise output_limit"
        except Exception as error:  # noqa: BLE001  (see above: the honest list is "anything")
            said = traceback.format_exception_only(error)[-1].strip()  # also where its own words fail
            kind, words = "malformed", f"what came back could not be taken ({said}); look before trying again"
        message = f"{_destination(request)}: {words}"
        return Result(Delivery.UNKNOWN, time.monotonic() - started, fault=Fault(kind, message))

    async def close(self) -> None:
        for transport in self._transports.values():
            await transport.close()
        self._transports.clear()

    def _with_reason(self, request: Request, result: Result) -> Result:
        """A broken connection through a port-forward with what the cluster said of it."""
        endpoint = self.site.endpoints.get(request.endpoint) if isinstance(request, HttpRequest) else None
        if result.fault is None or endpoint is None or endpoint.forward is None or self._forwarded is None:
            return result
        said = self._forwarded.refused_forward(endpoint.forward)
        if not said:
            return result
        message = f"{result.fault.message}; the port-forward says: {said}"
        return replace(result, fault=replace(result.fault, message=message))

    def _without_secrets(self, result: Result) -> Result:
        """A fault's words, which are for people, may repeat what the far side said, as the output does."""
        if result.fault is None:
            return result
        # Cut only now: half of a secret would not be found.
        words = shortened(visible_line(self.secrets.redactor.redact(result.fault.message)))
        return replace(result, fault=replace(result.fault, message=words))

    async def _transport(self, kind: type[Request]) -> Transport:
        """The transport of a kind of requests. Its package is imported, off the event loop, on first use."""
        if kind not in self._transports:
            await in_thread(lambda: import_module(PACKAGES[kind]))
        if kind not in self._transports:
            self._transports[kind] = self._made(kind)
        return self._transports[kind]

    def _made(self, kind: type[Request]) -> Transport:
        if kind is KubectlRequest:
            from breakglass.transport.kubectl import Kubectl

            return Kubectl(self.site)
        if kind is SshRequest:
            from breakglass.transport.ssh import Ssh

            return Ssh(self.site, self.secrets, self._prompts.host_key, self._prompts.tell)
        if kind is HttpRequest:
            from breakglass.transport.http.transport import Http

            return Http(self.site, self.secrets, forward=self._forward)
        if kind is LocalRequest:
            from breakglass.transport.local import Local, SimulatedLocal

            if self.site.local.answers is not None:
                return SimulatedLocal(self.site.local.answers, self.site, self.secrets)
            return Local(self.site.local.environment, self.secrets.redactor.add)
        return Probes(self.site, self.secrets, self._forward)

    async def _kubectl(self) -> "Kubectl":
        return cast("Kubectl", await self._transport(KubectlRequest))

    async def _kubernetes_secret(self, secret: KubernetesSecret) -> bytes:
        return await (await self._kubectl()).read_secret(secret)

    async def _forward(self, forward: PortForward) -> tuple[str, int]:
        self._forwarded = await self._kubectl()
        return await self._forwarded.forward(forward)


def _destination(request: Request) -> str:
    match request:
        case KubectlRequest(cluster=name):
            return f"cluster {name}"
        case SshRequest(host=name):
            return f"host {name}"
        case HttpRequest(endpoint=name):
            return f"endpoint {name}"
        case LocalRequest():
            return "this machine"
        case ProbeRequest(name=name):
            return f"probe {name}"


class Probes:
    """The transport of `breakglass.probe`."""

    def __init__(self, site: Site, secrets: SecretStore, forward: Forward) -> None:
        self._site = site
        self._secrets = secrets
        self._forward = forward

    async def send(self, request: Request, sink: Sink) -> Result:
        from breakglass.probe import run_probe

        probe = cast(ProbeRequest, request)
        return await run_probe(probe, self._site, self._secrets, sink, forward=self._forward)

    async def close(self) -> None:
        return None


def at_speed(request: Request, clock: Clock) -> Request:
    """A request whose own `--timeout`, as that of `drain`, runs as fast as the walk. In life it stays."""
    operation = request.command.operation if isinstance(request, KubectlRequest) else None
    if clock.speed <= 1 or not isinstance(operation, Drain | Delete | RolloutStatus | Wait):
        return request
    assert isinstance(request, KubectlRequest)
    timed = (
        replace(operation, timeout=clock.deadline(operation.timeout)) if operation.timeout > 0 else operation
    )
    return replace(request, command=replace(request.command, operation=timed))


def secret_names(action: object) -> frozenset[str]:
    """The secrets that any template inside an action names as `secrets.NAME`."""
    return frozenset(
        name
        for template in _templates(action)
        for part in template.parts
        if isinstance(part, Expression)
        for name in SECRET_NAME.findall(part.source)
    )


def _templates(value: object) -> Iterator[Template]:
    if isinstance(value, Template):
        yield value
    elif isinstance(value, Mapping):
        for each in cast("Mapping[object, object]", value).values():
            yield from _templates(each)
    elif isinstance(value, tuple | list):
        for each in cast("tuple[object, ...]", value):
            yield from _templates(each)
    elif is_dataclass(value):
        for field in fields(value):
            yield from _templates(getattr(value, field.name))
