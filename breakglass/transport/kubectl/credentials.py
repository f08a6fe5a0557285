"""Credential plugins: a program that the kubeconfig names, and that prints a token or a certificate.

Source: https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
The plugin gets no terminal: a cockpit cannot lend it one. It is ended, with all that it started, when the
deadline passes.
"""

import asyncio
import contextlib
import json
import os
import signal
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from breakglass.transport.base import Delivery
from breakglass.transport.kubectl.faults import KubectlFaultError, misused
from breakglass.transport.kubectl.kubeconfig import Choice, Section
from breakglass.values import Json, parse_json

LARGEST_CREDENTIAL = 1024 * 1024
"""Bytes of a plugin's output that are read; a token with its certificates is a few thousand."""


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


async def from_plugin(choice: Choice, where: str) -> Credential:
    """Run the plugin. Raises FaultError, naming it, and how to install it where the kubeconfig says."""
    plugin = choice.user.get("exec")
    assert isinstance(plugin, dict)
    command = plugin_name(choice)
    named = f"{where}: credential plugin {command!r} of user {choice.user_name}"
    if not command:
        raise misused(f"{named}: the kubeconfig names no command")
    if plugin.get("interactiveMode") == "Always":
        raise misused(f"{named} must ask on a terminal; log in with it outside, or use another user")
    program = command
    if os.sep in command:
        program = str(choice.user_file.absolute().parent / command)
    arguments = [str(each) for each in _list(plugin.get("args"))]
    try:
        process = await asyncio.create_subprocess_exec(
            program,
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=_environment(plugin, choice),
            start_new_session=True,
        )
    except OSError as error:
        hint = " ".join(str(plugin.get("installHint") or "").split())
        what = "is not installed" if isinstance(error, FileNotFoundError) else f"cannot run: {error.strerror}"
        raise misused(
            f"{named} {what}; {hint or 'install it, or use a kubeconfig with a certificate'}"
        ) from None
    whole = False
    try:
        out, err = await process.communicate()
        whole = True
    finally:
        if not whole:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    if process.returncode != 0:
        last = err.decode(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
        raise KubectlFaultError(
            "authentication",
            f"{named} ended with status {process.returncode}: {last[0]}; log in with it again",
            Delivery.NOT_SENT,
        )
    return _read(out, str(plugin.get("apiVersion") or ""), named)


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


def _environment(plugin: Section, choice: Choice) -> dict[str, str]:
    extra = {
        str(each["name"]): str(each.get("value") or "")
        for each in _list(plugin.get("env"))
        if isinstance(each, dict) and each.get("name")
    }
    spec: Section = {"interactive": False}
    if plugin.get("provideClusterInfo"):
        names = ("server", "tls-server-name", "insecure-skip-tls-verify", "certificate-authority-data")
        known = {name: choice.cluster[name] for name in (*names, "proxy-url") if name in choice.cluster}
        spec["cluster"] = cast(Json, known)
    info = {"apiVersion": plugin.get("apiVersion"), "kind": "ExecCredential", "spec": spec}
    return {**os.environ, **extra, "KUBERNETES_EXEC_INFO": json.dumps(info)}


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []
