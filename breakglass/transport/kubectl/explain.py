"""How the program would get into a cluster, and from which file and line each value comes. Nothing is
connected to, no plugin is run, and no secret is said."""

import hashlib
import os

from breakglass.site.model import Cluster
from breakglass.transport.explained import DEFAULT, Fact, Places
from breakglass.transport.kubectl.access import proxy_of, server_of
from breakglass.transport.kubectl.faults import misused
from breakglass.transport.kubectl.kubeconfig import Choice, check_tls, choose
from breakglass.transport.kubectl.kubeconfig_file import content_of


def explain_cluster(cluster: Cluster, places: Places) -> list[Fact]:
    """Each value of the way in. Raises FaultError where there is none, with what is wrong and where."""
    where = f"cluster {cluster.name}"
    choice = choose(cluster, os.environ)
    check_tls(cluster, choice)
    server = server_of(choice, where)
    proxy = proxy_of(choice, server, where)
    trust, trust_place = _trust(choice, where)
    server_name = str(choice.cluster.get("tls-server-name") or "")
    by_environment = "NO_PROXY or loopback" if proxy is None and _proxy_variable(server) else DEFAULT
    proxy_place = places("proxy") if cluster.proxy else _of(choice, "proxy-url") or _proxy_variable(server)
    return [
        Fact("context", choice.context, places("context") if cluster.context else choice.current_place),
        Fact("server", server, places("server") if cluster.server else _of(choice, "server")),
        Fact("tls-server-name", server_name, _of(choice, "tls-server-name") or DEFAULT),
        Fact("ca-sha256", trust, trust_place),
        Fact("user", choice.user_name, choice.place("context", "user")),
        *_impersonated(cluster, choice, places),
        Fact("proxy", proxy.url if proxy else "", proxy_place if proxy else by_environment),
        Fact("namespace", choice.namespace, choice.place("context", "namespace")),
    ]


def _impersonated(cluster: Cluster, choice: Choice, places: Places) -> list[Fact]:
    """Whom the user acts as; empty for one that acts as itself."""
    acting = choice.impersonated
    if acting is None:
        return [Fact("impersonate", "", DEFAULT)]

    def several(name: str, values: tuple[str, ...], key: str) -> list[Fact]:
        return [Fact(name, values, tuple(choice.place("user", key) for _ in values))] if values else []

    extra = tuple(f"{name}={value}" for name, values in acting.extra.items() for value in values)
    uid = [Fact("impersonate-uid", acting.uid, choice.place("user", "as-uid"))] if acting.uid else []
    return [
        Fact(
            "impersonate",
            acting.user,
            places("impersonate") if cluster.impersonate else choice.place("user", "as"),
        ),
        *uid,
        *several("impersonate-groups", acting.groups, "as-groups"),
        *several("impersonate-extra", extra, "as-user-extra"),
    ]


def _of(choice: Choice, key: str) -> str:
    """Where a key of the cluster stands; empty where it does not."""
    return choice.place("cluster", key) if choice.cluster.get(key) else ""


def _proxy_variable(server: str) -> str:
    name = "HTTPS_PROXY" if server.startswith("https:") else "HTTP_PROXY"
    return next((each for each in (name, name.lower()) if os.environ.get(each)), "")


def _trust(choice: Choice, where: str) -> tuple[str, str]:
    """The SHA-256 of the authorities as they stand (PEM), or whom else is trusted."""
    if choice.cluster.get("insecure-skip-tls-verify"):
        return "anybody", choice.place("cluster", "insecure-skip-tls-verify")
    try:
        authorities = content_of(choice.cluster, "certificate-authority")
    except OSError as error:
        raise misused(f"{where}: {error.filename}: {error.strerror}") from None
    if authorities is None:
        return "the system's", os.environ.get("SSL_CERT_FILE") or DEFAULT
    key = "certificate-authority-data" if choice.cluster.get("certificate-authority-data") else ""
    return hashlib.sha256(authorities).hexdigest(), choice.place("cluster", key or "certificate-authority")
