"""Help: every key of a screen, and what the marks mean."""
