"""What a command means and what it may do unasked. Knows words, not runbooks."""
