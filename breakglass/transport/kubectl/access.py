"""How to get into one cluster: address, TLS, who asks, as whom, and through which proxy.

Source: `ClientConfig` in `client_config.go` of clientcmd, and `k8s.io/client-go/transport`. Keys and
certificates stay in memory, and over a connection without TLS nobody logs in. The `kubernetes` package is
needed for one kind of user only, whose tokens it renews with an issuer (`auth-provider`).
"""

import base64
import os
import ssl
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from importlib import import_module
from pathlib import Path
from urllib.parse import urlsplit

from breakglass.site.model import Cluster
from breakglass.threads import in_thread
from breakglass.transport.kubectl.credentials import Credential, from_plugin, plugin_name
from breakglass.transport.kubectl.faults import misused
from breakglass.transport.kubectl.kubeconfig import Choice, check_tls, choose
from breakglass.transport.kubectl.kubeconfig_file import Section, content_of
from breakglass.transport.proxy import Proxy, proxy_at, proxy_for
from breakglass.transport.tls import show, trusting, trusting_anybody

PACKAGE = "kubernetes.aio.config.kube_config"
"""What renews the tokens of an `auth-provider`."""

RENEW_BEFORE = 60.0
"""Seconds before a credential's end at which a new one is asked for."""

FILE_KEPT = 60.0
"""Seconds after which a token file is read again, as client-go does: it may have been rotated."""

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Access:
    """Everything that a connection needs. `headers` hold a secret and are never shown."""

    server: str
    namespace: str
    user: str
    headers: Headers
    ssl: ssl.SSLContext | bool
    server_name: str | None
    proxy: Proxy | None
    certificate_ends: datetime | None = None
    renewable: bool = False
    """Whether asking for the credentials once more may give better ones."""
    expires: float | None = None

    def is_stale(self) -> bool:
        return self.expires is not None and time.time() > self.expires - RENEW_BEFORE


async def get_access(
    cluster: Cluster, tell: Callable[[str], None], said: Callable[[str], None] = lambda line: None
) -> Access:
    """Read the kubeconfig and get credentials. Raises FaultError with what is wrong and where.

    tell: hears what is being waited for, in words. said: hears each line that a credential plugin says, such
    as a code that a person must enter elsewhere.
    """
    tell("read the kubeconfig")
    choice = await in_thread(lambda: choose(cluster, os.environ))
    check_tls(cluster, choice)
    where = f"cluster {cluster.name}"
    server = server_of(choice, where)
    proxy = proxy_of(choice, server, where)
    secure = server.startswith("https:")
    user = choice.user if secure else {}
    credential = Credential()
    if isinstance(user.get("exec"), dict) and not (user.get("token") or user.get("tokenFile")):
        tell(f"run the credential plugin {plugin_name(choice)!r} of user {choice.user_name}")
        credential = await from_plugin(choice, server, proxy, where, said)
        tell("load the credentials")
    elif user.get("auth-provider"):
        tell(f"renew the token of user {choice.user_name}")
        await load_package()
        credential = await in_thread(lambda: _from_provider(choice, where))
    access = Access(
        server=server,
        namespace=choice.namespace,
        user=choice.user_name,
        headers=(),
        ssl=True,
        server_name=str(choice.cluster.get("tls-server-name") or "") or None,
        proxy=proxy,
        renewable=any(name in user for name in ("exec", "tokenFile", "auth-provider")),
        expires=credential.expires,
    )
    return await in_thread(lambda: _with_credentials(access, choice, user, credential, where))


def server_of(choice: Choice, where: str) -> str:
    """The URL of the server, without a slash at its end. Raises FaultError.

    Source: `DefaultServerURL` in `k8s.io/client-go/rest/url_utils.go`, for one without a scheme.
    """
    given = str(choice.cluster.get("server") or "")
    try:
        parts = urlsplit(given)
        if not parts.scheme or not parts.netloc:
            parts = urlsplit(f"http://{given}")
            if parts.path not in ("", "/"):
                raise ValueError("it is neither a URL nor host:port")
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.port == 0:
            raise ValueError("it has no host that can be connected to")
    except ValueError as error:
        raise misused(
            f"{where}: kubeconfig context {choice.context} has no server URL but {given!r}: {error}; give "
            "`server` in the site"
        ) from None
    return parts._replace(query="", fragment="").geturl().rstrip("/")


def proxy_of(choice: Choice, server: str, where: str) -> Proxy | None:
    """The proxy of the site or kubeconfig, or of the environment. Raises FaultError."""
    given = str(choice.cluster.get("proxy-url") or "")
    try:
        if given:
            return proxy_at(given)
        return proxy_for(server, os.environ)
    except ValueError as error:
        named = f"the proxy of kubeconfig context {choice.context}: " if given else ""
        raise misused(f"{where}: {named}{error}") from None


def _with_credentials(
    access: Access, choice: Choice, user: Section, credential: Credential, where: str
) -> Access:
    """Blocks: reads files."""
    headers: list[tuple[str, str]] = []
    token, expires = _token(user, credential, where)
    if token:
        headers.append(("Authorization", f"Bearer {token}"))
    elif user.get("username") or user.get("password"):
        login = f"{user.get('username') or ''}:{user.get('password') or ''}".encode()
        headers.append(("Authorization", f"Basic {base64.b64encode(login).decode('ascii')}"))
    impersonated = choice.impersonated
    if impersonated is not None:
        headers += impersonated.headers
    for name, value in headers:
        if any(character in value for character in "\r\n\0"):
            raise misused(f"{where}: user {choice.user_name}: what goes into {name} has a line break")
    found = replace(access, headers=tuple(headers), expires=access.expires or expires)
    if not access.server.startswith("https:"):
        return found
    try:
        context = _trusting(choice.cluster)
        certificate, key = _certificate(user, credential)
        if certificate:
            if b"ENCRYPTED" in key:
                # Loading it would ask on the terminal that the cockpit is using.
                raise misused(
                    f"{where}: the key of kubeconfig user {choice.user_name} has a passphrase, and nobody "
                    f"can be asked"
                )
            show(context, certificate, key)
        return replace(found, ssl=context, certificate_ends=_end_of(certificate))
    except (ssl.SSLError, OSError, ValueError) as error:
        words = getattr(error, "strerror", None) or str(error)
        file = f"{error.filename}: " if isinstance(error, OSError) and isinstance(error.filename, str) else ""
        raise misused(
            f"{where}: the certificates of kubeconfig context {choice.context} (user {choice.user_name}) "
            f"cannot be "
            f"used: {file}{words}"
        ) from None


def _token(user: Section, credential: Credential, where: str) -> tuple[str, float | None]:
    """The bearer token, and when it must be read again. A file counts before the token beside it."""
    if path := str(user.get("tokenFile") or ""):
        try:
            text = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            if not user.get("token"):
                raise misused(f"{where}: the token file {path} cannot be read: {error}") from None
        else:
            if text:
                return text, time.time() + FILE_KEPT + RENEW_BEFORE
    return str(user.get("token") or "") or credential.token, None


def _trusting(cluster: Section) -> ssl.SSLContext:
    authorities = content_of(cluster, "certificate-authority")
    if not cluster.get("insecure-skip-tls-verify"):
        return trusting(authorities)
    if authorities is not None:
        raise ValueError("insecure-skip-tls-verify and a certificate authority do not go together")
    return trusting_anybody()


def _certificate(user: Section, credential: Credential) -> tuple[bytes, bytes]:
    if credential.certificate:
        return credential.certificate.encode(), credential.key.encode()
    return content_of(user, "client-certificate") or b"", content_of(user, "client-key") or b""


def _end_of(certificate: bytes) -> datetime | None:
    if not certificate:
        return None
    from cryptography import x509

    return x509.load_pem_x509_certificate(certificate).not_valid_after_utc


async def load_package() -> None:
    """Import what renews tokens, off the event loop. It may take seconds on a busy machine."""
    if PACKAGE not in sys.modules:
        await in_thread(lambda: import_module(PACKAGE))


def _from_provider(choice: Choice, where: str) -> Credential:
    """Blocks: may ask the issuer of an `oidc` user for a new token."""
    import asyncio

    from kubernetes.aio.client import Configuration
    from kubernetes.aio.config.config_exception import ConfigException
    from kubernetes.aio.config.kube_config import KubeConfigLoader

    slim: Section = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "context",
        "contexts": [{"name": "context", "context": {"cluster": "cluster", "user": "user"}}],
        "clusters": [{"name": "cluster", "cluster": {"server": str(choice.cluster.get("server"))}}],
        "users": [{"name": "user", "user": {"auth-provider": choice.user["auth-provider"]}}],
    }
    configuration = Configuration()
    try:
        loader = KubeConfigLoader(slim, active_context="context", config_base_path="")
        asyncio.run(loader.load_and_set(configuration))
    except ConfigException as error:
        raise misused(f"{where}: kubeconfig context {choice.context}: {error}") from None
    token = str(configuration.api_key.get("BearerToken") or "").removeprefix("Bearer ")
    if not token:
        raise misused(
            f"{where}: kubeconfig user {choice.user_name} has an auth-provider that gives no token; use a "
            f"credential "
            "plugin (exec) in its place"
        )
    return Credential(token)
