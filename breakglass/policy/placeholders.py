"""Characters that stand in a command's words for text that is not known while the command is judged.

They are from Unicode's private use area. `parse` of `policy.shell` refuses shell text in which a person wrote
any of them but VALUE, so that nobody can pretend to be one.
"""

VALUE = "\ue000"
"""A value that the runbook puts in: exactly one word or a part of it, never empty, and never beginning with
`-` where it begins the word."""

EXPANSION = "\ue001"
"""What the shell expands within a word: a quoted `"$x"` or `"$(…)"`, or a glob after a literal beginning.
Any text, also none. A glob may become several words, so a word that holds one is given twice."""

WORDS = "\ue002"
"""An unquoted expansion, or a glob that no literal text stands before: any number of words with any text,
also none at all, also options."""

STAND_INS = frozenset((VALUE, EXPANSION, WORDS))


def is_literal(word: str) -> bool:
    """Whether the word is known as it stands."""
    return STAND_INS.isdisjoint(word)


def literal_start(word: str) -> str:
    """The part of the word that is known: all of it before the first stand-in."""
    for index, character in enumerate(word):
        if character in STAND_INS:
            return word[:index]
    return word


def shown(text: str) -> str:
    """The text for people: what is not known stands as `…`."""
    return "".join("…" if character in STAND_INS else character for character in text)
