"""A page of Markdown becomes the draft of a runbook: what it runs, what it says, what a person must add."""
