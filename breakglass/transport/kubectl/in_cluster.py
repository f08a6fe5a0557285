"""The account that a pod is given for the cluster that it runs in.

Source: `InClusterConfig` of `k8s.io/client-go/rest` and `inClusterClientConfig` of clientcmd.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where the kubelet puts the token, the CA and the namespace."""


@dataclass(frozen=True, slots=True)
class InCluster:
    """The cluster that this program runs in."""

    server: str
    namespace: str


def in_cluster(environment: Mapping[str, str]) -> InCluster | None:
    """None outside of a pod, and in one without an account."""
    host, port = environment.get("KUBERNETES_SERVICE_HOST"), environment.get("KUBERNETES_SERVICE_PORT")
    if not host or not port or not (ACCOUNT / "token").is_file():
        return None
    bracketed = f"[{host}]" if ":" in host else host
    return InCluster(f"https://{bracketed}:{port}", _namespace(environment))


def namespace_of_pod(environment: Mapping[str, str]) -> str:
    """The namespace that counts in a pod where neither the line nor the context names one; empty outside."""
    found = in_cluster(environment)
    return found.namespace if found is not None else ""


def _namespace(environment: Mapping[str, str]) -> str:
    if given := environment.get("POD_NAMESPACE"):
        return given
    try:
        return (ACCOUNT / "namespace").read_text(encoding="utf-8").strip() or "default"
    except OSError:
        return "default"
