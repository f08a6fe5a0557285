"""One run of one runbook: events, journal, state and the engine that walks."""
