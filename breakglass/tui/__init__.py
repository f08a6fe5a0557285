"""The cockpit. It renders the session's state and sends commands; it holds no truth of its own."""
