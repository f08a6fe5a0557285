"""The runbook format: reading it with positions, its expressions, its risk, its lint."""
