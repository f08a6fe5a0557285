"""Secrets, resolved at the moment of use and kept in memory only.

Whatever a secret resolves to is given to the redactor first, so that it is out of every output from then on.
Only what a person typed is remembered; everything else is read again, since tokens rotate.
"""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path
from typing import Protocol, TypeVar, cast

from breakglass.errors import UserError
from breakglass.site.model import (
    CommandSecret,
    EnvironmentSecret,
    FileSecret,
    KeyringSecret,
    KubernetesSecret,
    PromptSecret,
    Secret,
    Site,
)
from breakglass.site.redaction import SHORTEST_SECRET, Redactor
from breakglass.threads import in_thread

DEADLINE = 15.0
"""Seconds that a file, a command or the keyring may take to give a secret."""

LARGEST = 64 * 1024
"""Bytes of one secret."""

T = TypeVar("T")

Prompt = Callable[[str], Awaitable[str]]
ReadKubernetesSecret = Callable[[KubernetesSecret], Awaitable[bytes]]


class SecretError(UserError):
    """A secret cannot be had. The message names it and its source, and never its value."""


class Keyring(Protocol):
    """What is used of the `keyring` package."""

    def get_password(self, service: str, account: str, /) -> str | None: ...


class SecretStore:
    """The secrets of one site. `redactor` knows every value that was ever resolved."""

    def __init__(
        self, site: Site, prompt: Prompt | None = None, kubernetes: ReadKubernetesSecret | None = None
    ) -> None:
        self.redactor = Redactor()
        self._site = site
        self._prompt = prompt
        self._kubernetes = kubernetes
        self._typed: dict[str, str] = {}
        self._asking = asyncio.Lock()

    async def resolve(self, name: str) -> str:
        """The value of the site's secret with this name. Raises SecretError."""
        secret = self._site.secrets.get(name)
        if secret is None:
            raise SecretError(self._site.lacks("secret", name, self._site.secrets))
        value = await self._value(name, secret)
        if len(value) < SHORTEST_SECRET:
            what = "is empty" if not value else f"is shorter than {SHORTEST_SECRET} characters"
            raise SecretError(f"secret {name}: {_source(secret)} {what}, so it is not used")
        self.redactor.add(value)
        return value

    async def _value(self, name: str, secret: Secret) -> str:
        match secret:
            case EnvironmentSecret(variable=variable):
                value = os.environ.get(variable)
                if value is None:
                    raise SecretError(f"secret {name}: {_source(secret)} is not set; export it first")
                return value
            case FileSecret(path=path):
                return _text(name, secret, await _in_time(name, secret, lambda: _read(path)))
            case CommandSecret(argv=argv):
                return _text(name, secret, await _output_of(name, secret, argv))
            case KeyringSecret(service=service, account=account):
                found = await _in_time(name, secret, lambda: _keyring(name).get_password(service, account))
                if found is None:
                    raise SecretError(f"secret {name}: {_source(secret)} has no such entry; store it first")
                return found
            case KubernetesSecret():
                if self._kubernetes is None:
                    raise SecretError(f"secret {name}: {_source(secret)} cannot be read here")
                return _text(name, secret, await self._kubernetes(secret))
            case PromptSecret(prompt=words):
                return await self._asked(name, words)

    async def _asked(self, name: str, words: str) -> str:
        async with self._asking:
            if name not in self._typed:
                if self._prompt is None:
                    raise SecretError(
                        f"secret {name} must be typed ({words}), and there is no terminal to ask on"
                    )
                typed = await self._prompt(words)
                if len(typed) < SHORTEST_SECRET:
                    return typed
                self._typed[name] = typed
            return self._typed[name]


async def _in_time(name: str, secret: Secret, call: Callable[[], T]) -> T:
    try:
        return await in_thread(call, deadline=DEADLINE)
    except TimeoutError:
        raise SecretError(f"secret {name}: {_source(secret)} gave nothing in {DEADLINE:.0f} s") from None
    except OSError as error:
        raise SecretError(f"secret {name}: {_source(secret)}: {error.strerror or error}") from None


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(LARGEST + 1)


async def _output_of(name: str, secret: Secret, argv: tuple[str, ...]) -> bytes:
    """What a command prints. It is ended at the deadline, and its words are kept to itself: they may hold the
    secret."""
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise SecretError(f"secret {name}: {_source(secret)} cannot be run: {error.strerror}") from None
    try:
        async with asyncio.timeout(DEADLINE):
            output, _ = await process.communicate()
    except TimeoutError:
        raise SecretError(f"secret {name}: {_source(secret)} gave nothing in {DEADLINE:.0f} s") from None
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    if process.returncode:
        raise SecretError(
            f"secret {name}: {_source(secret)} ended with exit status {process.returncode}; run it to see why"
        )
    return output


def _keyring(name: str) -> Keyring:
    try:
        return cast(Keyring, import_module("keyring"))
    except ImportError:
        raise SecretError(
            f"secret {name} is in the OS keyring, which needs a package: pip install 'breakglass[keyring]'"
        ) from None


def _text(name: str, secret: Secret, raw: bytes) -> str:
    if len(raw) > LARGEST:
        raise SecretError(f"secret {name}: {_source(secret)} is larger than {LARGEST // 1024} KiB")
    try:
        return raw.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise SecretError(f"secret {name}: {_source(secret)} is not UTF-8 text") from None


def _source(secret: Secret) -> str:
    """Where a secret comes from, in words."""
    match secret:
        case EnvironmentSecret(variable=variable):
            return f"environment variable {variable}"
        case FileSecret(path=path):
            return f"file {path}"
        case CommandSecret(argv=argv):
            return f"command {argv[0]}"
        case KeyringSecret(service=service, account=account):
            return f"keyring entry {service}/{account}"
        case KubernetesSecret(cluster=cluster, namespace=namespace, name=name, key=key):
            return f"Secret {namespace}/{name} key {key} on cluster {cluster}"
        case PromptSecret():
            return "what was typed"
