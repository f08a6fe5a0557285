"""Preflight: is it the right runbook, where will it run, and with which inputs."""
