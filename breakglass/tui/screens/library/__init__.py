"""The library: every runbook, how it was last rehearsed, and what was left unfinished."""
