"""An interactive runbook cockpit for the terminal."""

__version__ = "0.1.0"
