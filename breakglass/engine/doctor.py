"""Whether everything that a runbook will need is there, looked at beforehand and without changing anything.

The same looks serve `breakglass doctor` and the cockpit's preflight. All run at once; each has its own
deadline, so that one dead host costs its own line and no more. What a look needs goes through the same
transports, credentials and host keys as the walk will.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

from breakglass.engine.clock import Clock
from breakglass.engine.gateway import Gateway, Prompts
from breakglass.engine.signature import signers_problem
from breakglass.errors import UserError
from breakglass.journal.folders import StateFolderError, prepare
from breakglass.policy.kubectl.parse import understood
from breakglass.runbook.actions import SshAction
from breakglass.runbook.host_programs import SHELL, Needed, found_in, programs_of, text_asking_for
from breakglass.runbook.model import Runbook
from breakglass.runbook.rights import Right, rights_of
from breakglass.runbook.steps import Step
from breakglass.site.model import Endpoint, Host, LocalPrograms, PromptSecret, Site
from breakglass.site.secrets import SecretError
from breakglass.threads import in_thread
from breakglass.transport.base import Fault, HttpRequest, KubectlRequest, SshRequest
from breakglass.transport.local_program import LocalProgramError, look_at
from breakglass.values import Json

PATIENCE = 8.0
"""Seconds for each look."""

WAY = 5.0
"""Seconds to say how a host was reached."""

SKEW = 2.0
"""Seconds that a host's clock may differ before it is said."""

WEBSOCKETS = ("exec", "portforward")
"""Subresources that are opened as WebSockets, which takes the right to `get` them."""

EXPIRES_SOON = 14
"""Days before the end of a certificate at which it is said."""

CheckState: TypeAlias = Literal["ok", "suspect", "failed", "unknown"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: how it is, what was seen, and how to mend it.

    fault: the kind of fault, where one came back.
    """

    name: str
    state: CheckState
    words: str
    mend: str = ""
    fault: str = ""
    seconds: float = 0.0


Look: TypeAlias = Callable[[], Awaitable[list[Check]]]


async def checks(
    site: Site, runbooks: Iterable[Runbook], state_folder: Path, output: Path, patience: float = PATIENCE
) -> AsyncGenerator[Check, None]:
    """Every check of a site for these runbooks, as each is done. `output` is a folder for what comes back;
    patience is in seconds, for each look."""
    gateway = Gateway(site, output, Clock(), Prompts())
    books = list(runbooks)
    looks = [*_looks(site, books, gateway, patience), lambda: _state(state_folder)]
    tasks = [asyncio.create_task(_timed(look)) for look in looks]
    try:
        for done in asyncio.as_completed(tasks):
            for check in await done:
                yield check
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await gateway.close()


def _looks(site: Site, runbooks: list[Runbook], gateway: Gateway, patience: float) -> list[Look]:
    clusters = {name for each in runbooks for name in each.uses.clusters}
    endpoints = {name for each in runbooks for name in each.uses.endpoints}
    programs = {name for each in runbooks for name in each.uses.programs}
    secrets = {name for each in runbooks for name in each.uses.secrets}
    looks: list[Look] = []
    looks += [
        _bound(_cluster, site, runbooks, gateway, name, patience)
        for name in sorted(clusters & {*site.clusters})
    ]
    needed = [(book, each) for book in runbooks for each in programs_of(book, _scope(book, site))]
    looks += [
        _bound(_host, gateway, site.hosts[name], sudo, needed, patience)
        for name, sudo in _hosts(site, runbooks).items()
    ]
    looks += [
        _bound(_endpoint, gateway, site.endpoints[name], patience)
        for name in sorted(endpoints & {*site.endpoints})
    ]
    looks += [
        _bound(_program, site.local, name, patience) for name in sorted(programs & {*site.local.programs})
    ]
    looks += [_bound(_secret, gateway, site, name, patience) for name in sorted(secrets & {*site.secrets})]
    if site.signers is not None:
        looks.append(_bound(_signers, site.signers))
    looks.append(lambda: _missing(site, runbooks))
    looks.append(lambda: _own_reads(site))
    return looks


def _bound(look: "Callable[..., Awaitable[list[Check]]]", *arguments: object) -> Look:
    return lambda: look(*arguments)


async def _timed(look: Look) -> list[Check]:
    started = time.monotonic()
    found = await look()
    seconds = round(time.monotonic() - started, 2)
    return [replace(each, seconds=seconds) for each in found]


def _hosts(site: Site, runbooks: list[Runbook]) -> dict[str, bool]:
    """The hosts to look at, and whether sudo is used there. A runbook whose host comes from a value may use
    any host of the site."""
    found: dict[str, bool] = {}
    for runbook in runbooks:
        for step in runbook.steps:
            for action in _ssh_actions(step):
                names = [action.host.source] if action.host.is_literal else list(site.hosts)
                for name in names:
                    if name in site.hosts:
                        found[name] = found.get(name, False) or action.sudo
    return found


def _ssh_actions(step: Step) -> list[SshAction]:
    return [each for each in step.actions if isinstance(each, SshAction)]


async def _cluster(
    site: Site, runbooks: list[Runbook], gateway: Gateway, name: str, patience: float
) -> list[Check]:
    wanted = sorted({right for each in runbooks for right in rights_of(each, name, _scope(each, site))})
    response = await gateway.send(
        KubectlRequest(name, understood(("auth", "can-i", "get", "pods")), patience)
    )
    fault = response.result.fault
    if fault is not None and fault.kind != "exit":
        return [_of_fault(f"cluster {name}", fault)]
    found = [Check(f"cluster {name}", "ok", f"answers in {response.result.seconds:.1f} s")]
    if not site.clusters[name].verify_tls:
        mend = "put its CA into the kubeconfig"
        found.append(Check(f"cluster {name}: TLS", "suspect", "NOT VERIFIED", mend))
    return [*found, *await asyncio.gather(*(_right(gateway, right, patience) for right in wanted))]


async def _right(gateway: Gateway, right: Right, patience: float) -> Check:
    argv = ["auth", "can-i", right.verb, right.resource]
    if right.subresource:
        argv.append(f"--subresource={right.subresource}")
    if right.namespace in ("*", "?"):
        argv.append("-A")
    elif right.namespace:
        argv += ["-n", right.namespace]
    response = await gateway.send(KubectlRequest(right.cluster, understood(argv), patience))
    name = f"cluster {right.cluster}: {right.words}"
    fault = response.result.fault
    if fault is None:
        return Check(name, "ok", "allowed")
    if fault.kind != "exit":
        return _of_fault(name, fault)
    mend = f"bind a Role that lets you {right.words}, or use a context that may"
    if right.verb == "get" and right.subresource in WEBSOCKETS:
        words = f"not allowed, so a WebSocket is refused; {right.subresource} then goes on over SPDY"
        return Check(name, "suspect", words, mend, fault="forbidden")
    if right.namespace == "?":
        return Check(name, "suspect", "not in every namespace; it may be in the one that is needed", mend)
    return Check(name, "failed", "not allowed", mend, fault="forbidden")


def _scope(runbook: Runbook, site: Site) -> dict[str, Json]:
    return {
        "inputs": {each.name: each.default for each in runbook.inputs if each.has_default},
        "site": {"name": site.name, "variables": dict(site.variables)},
    }


async def _host(
    gateway: Gateway, host: Host, sudo: bool, needed: Sequence[tuple[Runbook, Needed]], patience: float
) -> list[Check]:
    name = f"host {host.name}"
    if host.forced_command:
        return [Check(name, "unknown", "takes bare verbs only, so nothing was sent", "try its status verb")]
    before = time.time()
    response = await gateway.send(SshRequest(host.name, ("date", "-u", "+%s"), patience))
    after = time.time()
    fault = response.result.fault
    if fault is not None and fault.kind != "exit":
        return [_of_fault(name, fault)]
    found = [Check(name, "ok", f"lets {await _way(gateway, host)}, {response.result.seconds:.1f} s")]
    text = str(response.value["text"]).strip()
    if text.isdigit():
        found.append(_clock(name, int(text), before, after))
    else:
        found.append(Check(f"{name}: clock", "unknown", "`date -u +%s` gave no time"))
    if sudo:
        found.append(await _sudo(gateway, host, patience))
    if gateway.site.reaches is None:  # a simulated host has what its scenario answers
        found += await _programs(gateway, host.name, needed, patience)
    return found


async def _way(gateway: Gateway, host: Host) -> str:
    """As whom one got in, and where: what `ssh_config` has made of the host."""
    from breakglass.transport.ssh.route import route_to, via_of

    try:
        route = await in_thread(lambda: route_to(gateway.site, host), deadline=WAY)
    except (UserError, TimeoutError):
        return "you in"
    via = via_of(route)
    return f"{route[-1].user} in at {route[-1].endpoint}" + (f" via {via}" if via else "")


def _clock(name: str, theirs: int, before: float, after: float) -> Check:
    early, late = before - 1 - theirs, theirs - after
    skew = max(early, late, 0.0)
    if skew <= SKEW:
        return Check(f"{name}: clock", "ok", "as here")
    side = "behind" if early > late else "ahead"
    return Check(f"{name}: clock", "suspect", f"{skew:.0f} s {side} of here", "compare both with NTP")


async def _sudo(gateway: Gateway, host: Host, patience: float) -> Check:
    response = await gateway.send(SshRequest(host.name, ("sudo", "-n", "true"), patience))
    name = f"host {host.name}: sudo"
    fault = response.result.fault
    if fault is None:
        return Check(name, "ok", "without a password")
    if fault.kind == "exit":
        return Check(name, "unknown", fault.message)
    return replace(
        _of_fault(name, fault),
        mend=f"let the account run sudo without a password on {host.name}",
    )


async def _programs(
    gateway: Gateway, host: str, needed: Iterable[tuple[Runbook, Needed]], patience: float
) -> list[Check]:
    """Which of the programs that its steps start are not there. One command on the kept connection, which
    only asks the shell where each would be found."""
    here = [(book, each) for book, each in needed if each.host in (host, "")]
    if not here:
        return []
    label = f"host {host}: programs"
    argv = ("sh", "-c", text_asking_for(each for _, each in here))
    response = await gateway.send(SshRequest(host, argv, patience))
    if response.result.fault is not None:
        return [_of_fault(label, response.result.fault)]
    there = found_in(str(response.value["text"]))
    if SHELL not in there:
        return [Check(label, "unknown", "`command -v` of its shell gave nothing")]
    missing: dict[str, list[tuple[Runbook, Needed]]] = {}
    for book, each in here:
        if each.name not in there:
            missing.setdefault(each.name, []).append((book, each))
    names = sorted({each.name for _, each in here} - missing.keys())
    found = [Check(label, "ok", ", ".join(names))] if names else []
    return [*found, *(_missing_program(host, name, missing[name]) for name in sorted(missing))]


def _missing_program(host: str, name: str, uses: Sequence[tuple[Runbook, Needed]]) -> Check:
    """Suspect where every step that starts it can go on without, or may mean another host."""
    steps = "; ".join(dict.fromkeys(f"{book.name} starts it in {each.step}" for book, each in uses))
    certain = any(each.host and not each.tolerated for _, each in uses)
    words = f"not found; {steps}"
    if not any(each.host for _, each in uses):
        words += ", on a host that a value names"
    mend = "install it there, or put it on the PATH of the account"
    return Check(f"host {host}: {name}", "failed" if certain else "suspect", words, mend, "configuration")


async def _endpoint(gateway: Gateway, endpoint: Endpoint, patience: float) -> list[Check]:
    name = f"endpoint {endpoint.name}"
    response = await gateway.send(HttpRequest("GET", endpoint.name, patience, anonymous=True))
    result = response.result
    if result.status is None:
        return [_of_fault(name, result.fault or Fault("malformed", "no answer"))]
    words = f"answers {result.status} in {result.seconds:.1f} s"
    found = [Check(name, "ok", words)]
    if not endpoint.verify_tls:
        found.append(Check(f"{name}: TLS", "suspect", "NOT VERIFIED", "give its `ca` in the site file"))
    elif endpoint.url.startswith("https") and endpoint.forward is None:
        found.append(_certificate(f"{name}: TLS", result.tls))
    return found


def _certificate(name: str, tls: Mapping[str, Json] | None) -> Check:
    if tls is None:
        return Check(name, "unknown", "its certificate could not be looked at")
    days = int(str(tls["days_left"]))
    its = f"its certificate ({tls['subject']}, issued by {tls['issuer']})"
    words = f"trusted; {its} ends on {str(tls['not_after'])[:10]}, in {days} days"
    return Check(
        name, "ok" if days > EXPIRES_SOON else "suspect", words, "" if days > EXPIRES_SOON else "renew it"
    )


async def _program(local: LocalPrograms, name: str, patience: float) -> list[Check]:
    label = f"program {name}"
    if local.answers is not None:
        return [Check(label, "ok", "simulated")]
    path = local.programs[name]
    try:
        found = await in_thread(lambda: look_at(name, path), deadline=patience)
    except LocalProgramError as error:
        return [Check(label, "failed", str(error), "", "configuration")]
    except TimeoutError:
        return [Check(label, "failed", f"{path} could not be looked at in {patience:.0f} s", "", "timeout")]
    leads = f", which leads to {found.leads_to}" if found.leads_to != path else ""
    return [Check(label, "ok", f"{path}{leads}; runs as {local.where}")]


async def _secret(gateway: Gateway, site: Site, name: str, patience: float) -> list[Check]:
    label = f"secret {name}"
    if isinstance(site.secrets[name], PromptSecret):
        return [Check(label, "unknown", "will be asked for when it is used")]
    try:
        async with asyncio.timeout(patience * 2):
            await gateway.secrets.resolve(name)
    except SecretError as error:
        return [Check(label, "failed", str(error), "give it where the site file says it is", "configuration")]
    except TimeoutError:
        return [Check(label, "failed", f"gave nothing in {patience * 2:.0f} s", "", "timeout")]
    return [Check(label, "ok", "can be had")]


async def _signers(signers: Path) -> list[Check]:
    problem = await in_thread(lambda: signers_problem(signers))
    if problem:
        return [
            Check("signers", "failed", problem, "no change with `approve: 2` can be sent", "configuration")
        ]
    return [Check("signers", "ok", str(signers))]


async def _missing(site: Site, runbooks: list[Runbook]) -> list[Check]:
    """What a runbook uses and the site does not have, and what the site has and no runbook uses."""
    found: list[Check] = []
    kinds: Mapping[str, tuple[Callable[[Runbook], tuple[str, ...]], Mapping[str, object]]] = {
        "cluster": (lambda book: book.uses.clusters, site.clusters),
        "host": (lambda book: book.uses.hosts, site.hosts),
        "endpoint": (lambda book: book.uses.endpoints, site.endpoints),
        "program": (lambda book: book.uses.programs, site.local.programs),
        "secret": (lambda book: book.uses.secrets, site.secrets),
        "variable": (lambda book: book.uses.variables, site.variables),
    }
    for kind, (used, there) in kinds.items():
        for book in runbooks:
            for name in used(book):
                if name not in there:
                    under = "local.programs" if kind == "program" else f"{kind}s"
                    mend = f"name it under {under} in {site.path or 'the site file'}"
                    found.append(
                        Check(f"{kind} {name}", "failed", f"{book.name} uses it", mend, "configuration")
                    )
    return found


async def _own_reads(site: Site) -> list[Check]:
    """What the site adds to the commands that run unasked."""
    if not site.reads:
        return []
    words = "; ".join(each.text for each in site.reads)
    return [Check("reads", "ok", f"this site also counts as reads: {words}")]


async def _state(folder: Path) -> list[Check]:
    try:
        prepare(folder)
    except StateFolderError as error:
        return [Check("state folder", "failed", str(error), "", "configuration")]
    return [Check("state folder", "ok", str(folder))]


def _of_fault(name: str, fault: Fault) -> Check:
    return Check(name, "failed", fault.message, MEND.get(fault.kind, ""), fault.kind)


MEND: Mapping[str, str] = {
    "timeout": "look for a firewall, or a machine that is down",
    "refused": "look whether the service runs, and on which port",
    "unreachable": "look at the route, the jump host or the proxy",
    "dns": "give an IP address in the site file, or `resolve`",
    "tls": "give the right `ca`, or renew the certificate",
    "host-key": "compare the fingerprint at the machine itself, then accept it once",
    "authentication": "look at the key, the token or the certificate",
    "forbidden": "ask for the right, or use another account",
}


def unused(site: Site, runbooks: Iterable[Runbook]) -> list[Check]:
    """Hosts of the site that none of these runbooks names, nor any variable of the site."""
    books = list(runbooks)
    hosts = _hosts(site, books)
    return [
        Check(f"host {name}", "suspect", "no runbook uses it", "take it out, if nobody needs it")
        for name in site.hosts
        if name not in hosts and not _jumped_through(site, name)
    ]


def _jumped_through(site: Site, name: str) -> bool:
    return any(name in host.jump for host in site.hosts.values())
