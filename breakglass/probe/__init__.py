"""Read-only diagnostics that are too big for one command."""
