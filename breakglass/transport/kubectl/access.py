"""How to get into one cluster: address, TLS, who asks, and through which proxy.

The `kubernetes` package reads the credentials; what it would do badly is done before: only the chosen context
is handed to it, plugins run under a deadline, and keys stay on disk only while they are loaded.
"""

import base64
import binascii
import ipaddress
import os
import ssl
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from breakglass.site.model import Cluster
from breakglass.threads import in_thread
from breakglass.transport.kubectl.credentials import Credential, from_plugin, plugin_name
from breakglass.transport.kubectl.faults import misused
from breakglass.transport.kubectl.kubeconfig import Choice, Section, check_tls, choose

if TYPE_CHECKING:
    from kubernetes.aio.client import Configuration

PACKAGE = "kubernetes.aio.config.kube_config"
"""What takes the longest to import of the package."""

RENEW_BEFORE = 60.0
"""Seconds before a credential's end at which a new one is asked for."""

_DATA = {
    "certificate-authority-data": "certificate-authority",
    "client-certificate-data": "client-certificate",
    "client-key-data": "client-key",
}


@dataclass(frozen=True, slots=True)
class Access:
    """Everything that a connection needs. `headers` hold a secret and are never shown."""

    server: str
    namespace: str
    user: str
    headers: dict[str, str]
    ssl: ssl.SSLContext | bool
    server_name: str | None
    proxy: str | None
    certificate_ends: datetime | None = None
    renewable: bool = False
    """Whether asking for the credentials once more may give better ones."""
    expires: float | None = None

    def is_stale(self) -> bool:
        return self.expires is not None and time.time() > self.expires - RENEW_BEFORE


async def get_access(cluster: Cluster, tell: Callable[[str], None]) -> Access:
    """Read the kubeconfig and get credentials. Raises FaultError with what is wrong and where.

    tell: hears what is being waited for, in words.
    """
    tell("read the kubeconfig")
    choice = await in_thread(lambda: choose(cluster, os.environ))
    check_tls(cluster, choice)
    where = f"cluster {cluster.name}"
    credential = Credential()
    if isinstance(choice.user.get("exec"), dict):
        tell(f"run the credential plugin {plugin_name(choice)!r} of user {choice.user_name}")
        credential = await from_plugin(choice, where)
        tell("load the credentials")
    configuration, context, ends = await in_thread(lambda: _configured(choice, credential, where))
    token = configuration.api_key.get("BearerToken")
    headers = {"Authorization": token} if token else {}
    if cluster.impersonate:
        headers["Impersonate-User"] = cluster.impersonate
    proxy = configuration.proxy or _environment_proxy(configuration.host)
    if proxy and not proxy.startswith(("http://", "https://")):
        raise misused(f"{where}: the proxy {proxy} is not HTTP; use `driver: binary` for it")
    return Access(
        server=configuration.host,
        namespace=choice.namespace,
        user=choice.user_name,
        headers=headers,
        ssl=context,
        server_name=configuration.tls_server_name or None,
        proxy=proxy,
        certificate_ends=ends,
        renewable="exec" in choice.user or "tokenFile" in choice.user or "auth-provider" in choice.user,
        expires=credential.expires if credential.token or credential.certificate else _file_expiry(choice),
    )


def _file_expiry(choice: Choice) -> float | None:
    """A token file is read again after a minute, as client-go does: it may have been rotated."""
    return time.time() + 60.0 + RENEW_BEFORE if "tokenFile" in choice.user else None


async def load_package() -> None:
    """Import the `kubernetes` package, off the event loop. It may take seconds on a busy machine, which must
    not count against the first request's time."""
    if PACKAGE not in sys.modules:
        await in_thread(lambda: import_module(PACKAGE))


def _configured(
    choice: Choice, credential: Credential, where: str
) -> "tuple[Configuration, ssl.SSLContext | bool, datetime | None]":
    """Blocks: reads files, imports the package, and for an `oidc` user may ask its issuer for a new token."""
    import asyncio

    from kubernetes.aio.client import Configuration
    from kubernetes.aio.client.rest import RESTClientObject
    from kubernetes.aio.config.config_exception import ConfigException
    from kubernetes.aio.config.kube_config import KubeConfigLoader

    with tempfile.TemporaryDirectory(prefix="breakglass-") as folder:
        slim = _slim(choice, credential, Path(folder), where)
        configuration = Configuration()
        user = slim["users"]
        assert isinstance(user, list)
        try:
            loader = KubeConfigLoader(slim, active_context=choice.context, config_base_path="")
            asyncio.run(loader.load_and_set(configuration))
            ends = _certificate_ends(configuration.cert_file)
            if not configuration.host.startswith("https"):
                return configuration, True, None
            _check_key(configuration.key_file, where, choice.user_name)
            return configuration, RESTClientObject(configuration).ssl_context, ends
        except ConfigException as error:
            raise misused(f"{where}: kubeconfig context {choice.context}: {error}") from None
        except (ssl.SSLError, OSError, ValueError) as error:
            words = getattr(error, "strerror", None) or str(error)
            raise misused(
                f"{where}: the certificates of kubeconfig context {choice.context} (user "
                f"{choice.user_name}) cannot be used: {words}"
            ) from None


def _slim(choice: Choice, credential: Credential, folder: Path, where: str) -> Section:
    """A kubeconfig with the chosen context alone, its data in files of a folder of our own."""
    user = {name: value for name, value in choice.user.items() if name != "exec"}
    if credential.token:
        user = {**user, "token": credential.token}
    if credential.certificate:
        user = {
            **user,
            "client-certificate": str(_written(folder, "certificate", credential.certificate.encode())),
        }
        user["client-key"] = str(_written(folder, "key", credential.key.encode()))
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": choice.context,
        "contexts": [
            {"name": choice.context, "context": {"cluster": "cluster", "user": choice.user_name or "nobody"}}
        ],
        "clusters": [{"name": "cluster", "cluster": _in_files(choice.cluster, folder, where)}],
        "users": [{"name": choice.user_name or "nobody", "user": _in_files(user, folder, where)}],
    }


def _in_files(section: Section, folder: Path, where: str) -> Section:
    out = dict(section)
    for name, file in _DATA.items():
        data = out.pop(name, None)
        if not data:
            continue
        try:
            content = base64.b64decode(str(data), validate=True)
        except (binascii.Error, ValueError):
            raise misused(f"{where}: {name} of the kubeconfig is not base64") from None
        out[file] = str(_written(folder, file, content))
    return out


def _written(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.touch(mode=0o600)
    path.write_bytes(content)
    return path


def _check_key(path: str | None, where: str, user: str) -> None:
    """Refuse a key with a passphrase: loading it would ask on the terminal that the cockpit is using."""
    if path and b"ENCRYPTED" in Path(path).read_bytes():
        raise misused(f"{where}: the key of kubeconfig user {user} has a passphrase, and nobody can be asked")


def _certificate_ends(path: str | None) -> datetime | None:
    if not path:
        return None
    from cryptography import x509

    return x509.load_pem_x509_certificate(Path(path).read_bytes()).not_valid_after_utc


def _environment_proxy(server: str) -> str | None:
    """The proxy of `HTTPS_PROXY` and `NO_PROXY`. Loopback is never reached through one, as in Go."""
    parts = urlsplit(server)
    host = parts.hostname or ""
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    if loopback or urllib.request.proxy_bypass(host):
        return None
    return urllib.request.getproxies().get(parts.scheme)
