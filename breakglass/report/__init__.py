"""What remains of a session: timeline, post-mortem draft, transcript and after-action review."""
