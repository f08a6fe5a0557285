"""Where a runbook runs: clusters, hosts, endpoints and secrets."""
