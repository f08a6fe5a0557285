"""Decides what happens next in a session. Knows no screen."""
