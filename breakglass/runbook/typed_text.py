"""What a person types to confirm a change: long enough to be looked at, and nothing that the eye misses."""

import unicodedata

SHORTEST_TYPED = 4
"""Characters below which a hand types the text before the head has read it."""

_INVISIBLE_CATEGORIES = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zs", "Zl", "Zp"})
_INVISIBLE = frozenset(
    "\u115f\u1160\u2800\u3164\uffa0"  # Hangul fillers, and the empty Braille cell
    "\u034f\u17b4\u17b5\u180b\u180c\u180d\u180f"  # marks that Unicode has only to tell others apart
    + "".join(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))  # variation selectors
)
"""Characters that are drawn as nothing, and whose category does not say so."""

_PART_OF_ANOTHER = frozenset({"Mn", "Me"})
"""Categories of marks that stand on the letter before them and are none of their own."""


def seen(text: str) -> str:
    """The characters of a text that leave a mark of their own on the screen."""
    alone = (each for each in text if unicodedata.category(each) not in _PART_OF_ANOTHER)
    return "".join(each for each in alone if not _is_invisible(each))


def typing_problem(text: str) -> str:
    """What is wrong with a text that is to be typed, in words; empty where nothing is."""
    count = len(seen(text))
    if not count:
        return "is blank"
    untypeable = next((each for each in text if each != " " and _is_invisible(each)), "")
    if untypeable:
        return f"holds {_named(untypeable)}, which is not seen and cannot be typed"
    if text != text.strip():
        return "begins or ends with a space, which is not seen"
    if count < SHORTEST_TYPED:
        return f"is shorter than {SHORTEST_TYPED} characters"
    return ""


def _is_invisible(character: str) -> bool:
    return character in _INVISIBLE or unicodedata.category(character) in _INVISIBLE_CATEGORIES


def _named(character: str) -> str:
    return f"U+{ord(character):04X} {unicodedata.name(character, '')}".rstrip()
