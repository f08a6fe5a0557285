"""Servers on loopback that stand for a cluster, a registry, hosts and endpoints."""
