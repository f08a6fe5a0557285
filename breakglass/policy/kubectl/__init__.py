"""The grammar of kubectl lines: from words to a typed request."""
