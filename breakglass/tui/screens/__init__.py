"""The full screens of the cockpit."""
