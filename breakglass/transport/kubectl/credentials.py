"""Credential plugins: a program that the kubeconfig names, and that prints a token or a certificate.

Source: https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
The plugin gets no terminal: a cockpit cannot lend it one. It is ended, with all that it started, when the
deadline passes.
"""

import asyncio
import base64
import contextlib
import json
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from breakglass.threads import in_thread
from breakglass.transport.base import Delivery
from breakglass.transport.kubectl.faults import KubectlFaultError, misused
from breakglass.transport.kubectl.kubeconfig import Choice
from breakglass.transport.kubectl.kubeconfig_file import Section, content_of
from breakglass.transport.proxy import Proxy
from breakglass.values import Json, parse_json

LARGEST_CREDENTIAL = 1024 * 1024
"""Bytes of a plugin's output that are read; a token with its certificates is a few thousand."""

LONGEST_LINE = 64 * 1024
"""Bytes of a line that a plugin says."""


@dataclass(frozen=True, slots=True)
class Credential:
    """What a plugin gave. `expires` is a UNIX time; None is until the server refuses it."""

    token: str = ""
    certificate: str = ""
    key: str = ""
    expires: float | None = None


def plugin_name(choice: Choice) -> str:
    """The program that gives this user's credentials; empty where none does."""
    plugin = choice.user.get("exec")
    return str(plugin.get("command") or "") if isinstance(plugin, dict) else ""


async def from_plugin(
    choice: Choice, server: str, proxy: Proxy | None, where: str, said: Callable[[str], None]
) -> Credential:
    """Run the plugin. Raises FaultError, naming it, and how to install it where the kubeconfig says.

    said: hears each line of its standard error as it comes: it may be a code that a person must enter
    elsewhere before the plugin goes on.
    """
    plugin = choice.user.get("exec")
    assert isinstance(plugin, dict)
    command = plugin_name(choice)
    named = f"{where}: credential plugin {command!r} of user {choice.user_name}"
    if plugin.get("interactiveMode") == "Always":
        raise misused(f"{named} must ask on a terminal; log in with it outside, or use another user")
    arguments = [str(each) for each in _list(plugin.get("args"))]
    environment = await in_thread(lambda: _environment(plugin, choice, server, proxy, where))
    try:
        process = await asyncio.create_subprocess_exec(
            shutil.which(command) or command,
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
            start_new_session=True,
            limit=LONGEST_LINE,
        )
    except OSError as error:
        hint = " ".join(str(plugin.get("installHint") or "").split())
        what = "is not installed" if isinstance(error, FileNotFoundError) else f"cannot run: {error.strerror}"
        raise misused(
            f"{named} {what}; {hint or 'install it, or use a kubeconfig with a certificate'}"
        ) from None
    whole = False
    assert process.stdout is not None and process.stderr is not None
    try:
        out, last, code = await asyncio.gather(
            process.stdout.read(), _heard(process.stderr, said), process.wait()
        )
        whole = True
    finally:
        if not whole:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            with contextlib.suppress(TimeoutError):  # one that is stuck in the kernel
                async with asyncio.timeout(1.0):
                    await process.wait()
    if code != 0:
        raise KubectlFaultError(
            "authentication",
            f"{named} ended with status {code}: {last or 'it said nothing'}; log in with it again",
            Delivery.NOT_SENT,
        )
    return _read(out, str(plugin.get("apiVersion") or ""), named)


async def _heard(stream: asyncio.StreamReader, said: Callable[[str], None]) -> str:
    """Pass on what a plugin says, line by line. Gives the last line that says something."""
    last = ""
    while True:
        try:
            line = await stream.readline()
        except ValueError:  # longer than any line is; what of it was read is dropped
            continue
        if not line:
            return last
        text = line.decode(errors="replace").strip()
        if text:
            last = text
            said(text)


def _read(out: bytes, version: str, named: str) -> Credential:
    try:
        given: object = parse_json(out[:LARGEST_CREDENTIAL])
    except ValueError:
        raise misused(f"{named} printed something that is not JSON") from None
    status = cast(Section, given).get("status") if isinstance(given, dict) else None
    if not isinstance(status, dict):
        raise misused(f"{named} printed no ExecCredential with a status")
    printed = cast(Section, given).get("apiVersion")
    if version and printed != version:
        raise misused(f"{named} printed apiVersion {printed}, and the kubeconfig asks for {version}")
    token = str(status.get("token") or "")
    certificate, key = str(status.get("clientCertificateData") or ""), str(status.get("clientKeyData") or "")
    if not token and not (certificate and key):
        raise misused(f"{named} gave neither a token nor a certificate with its key")
    return Credential(token, certificate, key, _time(status.get("expirationTimestamp")))


def _time(text: Json) -> float | None:
    try:
        return datetime.fromisoformat(str(text).replace("Z", "+00:00")).timestamp() if text else None
    except ValueError:
        return None


def _environment(
    plugin: Section, choice: Choice, server: str, proxy: Proxy | None, where: str
) -> dict[str, str]:
    extra = {
        str(each["name"]): str(each.get("value") or "")
        for each in _list(plugin.get("env"))
        if isinstance(each, dict) and each.get("name")
    }
    spec: Section = {"interactive": False}
    if plugin.get("provideClusterInfo"):
        spec["cluster"] = _cluster_info(choice, server, proxy, where)
    info = {"apiVersion": plugin.get("apiVersion"), "kind": "ExecCredential", "spec": spec}
    return {**os.environ, **extra, "KUBERNETES_EXEC_INFO": json.dumps(info)}


def _cluster_info(choice: Choice, server: str, proxy: Proxy | None, where: str) -> Section:
    """What a plugin is told of the cluster. Source: `ConfigToExecCluster` in
    `k8s.io/client-go/rest/exec.go`."""
    names = ("tls-server-name", "insecure-skip-tls-verify", "disable-compression")
    known: Section = {name: choice.cluster[name] for name in names if choice.cluster.get(name)}
    known["server"] = server
    try:
        authorities = content_of(choice.cluster, "certificate-authority")
    except OSError as error:
        raise misused(f"{where}: {error.filename}: {error.strerror}") from None
    if authorities:
        known["certificate-authority-data"] = base64.b64encode(authorities).decode("ascii")
    if proxy is not None:
        known["proxy-url"] = str(choice.cluster.get("proxy-url") or proxy.url)
    for each in _list(choice.cluster.get("extensions")):
        if isinstance(each, dict) and each.get("name") == "client.authentication.k8s.io/exec":
            known["config"] = each.get("extension")
    return known


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []
