"""What happened in a session: its events, the state they add up to, and the file that keeps them."""
