"""How a cluster would be reached, and where each value is from."""

import os

from breakglass.site.model import Cluster
from breakglass.transport.explained import Fact, Places
from breakglass.transport.kubectl.kubeconfig import choose


def explain_cluster(cluster: Cluster, places: Places) -> list[Fact]:
    """What `kubectl config view --minify` says, and what the site changes of it. Reads files.

    Raises KubectlFaultError where the kubeconfig cannot be used.
    """
    choice = choose(cluster, os.environ)
    server = str(choice.cluster.get("server") or "")
    return [Fact("server", server, places("server") if cluster.server else "kubeconfig")]
