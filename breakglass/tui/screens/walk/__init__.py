"""The walk: one step at a time, expected beside observed, the output below."""
