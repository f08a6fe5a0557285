"""The simulated incident: Kubernetes API, SSH and HTTP servers on loopback, driven by a scenario."""
